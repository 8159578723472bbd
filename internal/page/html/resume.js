(function(){
var to=document.getElementById("resume").dataset.to,key="postern:"+to.split(/[?#]/)[0],h="";
try{h=sessionStorage.getItem(key)||"";sessionStorage.removeItem(key)}catch(e){}
location.replace(h.charAt(0)=="#"?to.split("#")[0]+h:to)})()
