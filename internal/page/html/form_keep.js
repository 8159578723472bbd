(function(){
var lost=document.getElementById("lost"),d=lost.dataset,h=document.querySelector("h1")||{},was=[document.title,h.textContent];
lost.hidden=true;document.title=h.textContent=d.moment;
try{sessionStorage.setItem("postern:form",d.form);location.replace(d.next)}catch(e){lost.hidden=false;document.title=was[0];h.textContent=was[1]}})()
