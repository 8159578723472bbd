(function(){
var none=document.getElementById("none"),f=document.getElementById("resume"),kept="";
none.hidden=true;
try{kept=sessionStorage.getItem("postern:form")||"";sessionStorage.removeItem("postern:form")}catch(e){}
if(kept){f.elements[0].value=kept;HTMLFormElement.prototype.submit.call(f)}else none.hidden=false})()
