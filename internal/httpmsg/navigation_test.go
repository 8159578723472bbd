package httpmsg

import "testing"

func request(method string, pairs ...string) *Request {
	r := &Request{Method: method}
	for i := 0; i < len(pairs); i += 2 {
		r.Header = append(r.Header, Field{pairs[i], pairs[i+1]})
	}
	return r
}

func TestNavigation(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for name, tc := range map[string]struct {
		request *Request
		want    bool
	}{
		"a browser with fetch metadata":    {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-dest", "document", "accept", browser), true},
		"a frame":                          {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-dest", "iframe"), true},
		"a link that downloads":            {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-dest", "empty"), true},
		"an embedded object":               {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-dest", "embed"), false},
		"navigation without a destination": {request("GET", "sec-fetch-mode", "navigate"), true},
		"a script that asks for HTML":      {request("GET", "sec-fetch-mode", "cors", "sec-fetch-dest", "empty", "accept", browser), false},
		"an image":                         {request("GET", "sec-fetch-mode", "no-cors", "sec-fetch-dest", "image", "accept", browser), false},
		"a web socket":                     {request("GET", "sec-fetch-mode", "websocket", "upgrade", "websocket", "accept", browser), false},
		"fetch metadata twice":             {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-mode", "cors"), false},
		"two destinations":                 {request("GET", "sec-fetch-mode", "navigate", "sec-fetch-dest", "document", "sec-fetch-dest", "image"), false},
		"an old browser":                   {request("GET", "accept", browser), true},
		"a form":                           {request("POST", "accept", browser), true},
		"a HEAD request":                   {request("HEAD", "accept", browser), true},
		"PUT":                              {request("PUT", "accept", browser), false},
		"a preflight":                      {request("OPTIONS", "accept", browser), false},
		"CONNECT":                          {request("CONNECT", "accept", browser), false},
		"CONNECT that says it navigates":   {request("CONNECT", "sec-fetch-mode", "navigate"), false},
		"an upgrade":                       {request("GET", "upgrade", "websocket", "accept", browser), false},
		"the wish for secure requests is no upgrade": {request("GET", "upgrade-insecure-requests", "1", "accept", browser), true},
		"a script library":                           {request("GET", "x-requested-with", "xmlhttprequest", "accept", browser), false},
		"a web view":                                 {request("GET", "x-requested-with", "com.example.app", "accept", browser), true},
		"a prefetch":                                 {request("GET", "sec-purpose", "prefetch", "sec-fetch-mode", "navigate"), false},
		"a prerender":                                {request("GET", "sec-purpose", "prefetch;prerender", "sec-fetch-mode", "navigate"), false},
		"a prefetch of old":                          {request("GET", "purpose", "prefetch", "accept", browser), false},
		"gRPC":                                       {request("POST", "content-type", "application/grpc", "accept", browser), false},
		"gRPC with a codec":                          {request("POST", "content-type", "application/grpc+proto", "accept", browser), false},
		"gRPC-Web":                                   {request("POST", "content-type", "Application/gRPC-Web-Text; x=y", "accept", browser), false},
		"a type that only looks like gRPC":           {request("POST", "content-type", "application/grpcx", "accept", browser), true},
		"no accept field":                            {request("GET"), false},
		"anything":                                   {request("GET", "accept", "*/*"), false},
		"JSON":                                       {request("GET", "accept", "application/json"), false},
		"JSON, then anything":                        {request("GET", "accept", "application/json, text/plain, */*"), false},
		"HTML in capitals":                           {request("GET", "accept", "TEXT/HTML"), true},
		"HTML in a second field":                     {request("GET", "accept", "application/json", "accept", "text/html"), true},
		"HTML with a quality":                        {request("GET", "accept", "*/*, text/html;level=1; q=0.1"), true},
		"HTML refused":                               {request("GET", "accept", "text/html;q=0, */*"), false},
		"HTML refused at length":                     {request("GET", "accept", "text/html ; Q=0.000"), false},
		"HTML refused, other text not":               {request("GET", "accept", "text/*, text/html;q=0"), false},
		"any text":                                   {request("GET", "accept", "text/*;q=0.5"), true},
		"a quality that is none":                     {request("GET", "accept", "text/html;q=nought"), false},
		"a quality above 1":                          {request("GET", "accept", "text/html;q=1.5"), false},
		"HTML only within a quoted string":           {request("GET", "accept", `application/json;x="a, text/html, b"`), false},
		"a quoted quality is no refusal":             {request("GET", "accept", `text/html;x=";q=0"`), true},
		"another type that begins like HTML":         {request("GET", "accept", "text/html-sandboxed"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Navigation(tc.request); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNavigationCostsNoMemory(t *testing.T) {
	r := request("GET", "accept", "application/json;x=\"y\", text/*;q=0.2, text/html;q=0.8")
	if n := testing.AllocsPerRun(100, func() { Navigation(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"text/html", "text/html;q=0", `a/b;c="`, `a/b;c="\`, ",;,", "text/html;q="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		alone := Navigation(request("GET", "accept", accept))
		if alone && !containsFold(accept, "text/html") && !containsFold(accept, "text/*") {
			t.Fatalf("%q asks for no text", accept)
		}
	})
}

func containsFold(s, sub string) bool {
	for i := range s {
		if hasPrefixFold(s[i:], sub) {
			return true
		}
	}
	return false
}
