(function(){
var lost=document.getElementById("lost"),d=lost.dataset;
lost.hidden=true;
try{sessionStorage.setItem("postern:form",d.form);location.replace(d.next)}catch(e){lost.hidden=false}})()
