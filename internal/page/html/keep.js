(function(){
var d=document.getElementById("keep").dataset,h=location.hash,to=d.plain;
if(h.length>1&&h.length<=8192)try{sessionStorage.setItem("postern:"+location.pathname,h);to=d.kept}catch(e){}
location.replace(to)})()
