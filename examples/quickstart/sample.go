package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// sampleLines is how many lines the bundled log has.
const sampleLines = 24_000

// sample returns the bundled log: a day of a small web shop, in the combined format,
// with the odd line of another kind that every real log has. It is the same bytes
// every time.
func sample() []byte {
	g := &generator{source: rand.NewPCG(2026, 3)}
	for n := range sampleLines {
		g.tick(n)
		switch k := g.pick(1000); {
		case k < 4:
			g.appLine()
		case k < 6:
			g.garbage()
		default:
			g.request()
		}
	}
	return g.out.Bytes()
}

// generator writes lines. It uses only the raw output of its random source. Go
// specifies that output, so the sample does not depend on the version of Go.
type generator struct {
	out    bytes.Buffer
	source *rand.PCG
	now    time.Time
	outage bool // an hour in which the payment service is down
}

func (g *generator) pick(n int) int { return int(g.source.Uint64() % uint64(n)) }

func one[T any](g *generator, list []T) T { return list[g.pick(len(list))] }

// tick sets the clock to the time of line n. All lines together cover one day, at an
// uneven rate.
func (g *generator) tick(n int) {
	x := float64(n) / sampleLines
	seconds := (x + 0.07*math.Sin(4*math.Pi*x)/2) * 86_400
	g.now = time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
	g.outage = g.now.Hour() == 14
}

// kind is a kind of request, with the statuses and the size of its responses.
type kind struct {
	method, path string // the path may have one %d
	ids          int
	statuses     []int
	size         int // mean, in bytes
}

// kinds lists frequent kinds more than once.
var kinds = []kind{
	{"GET", "/", 0, []int{200, 200, 200, 304}, 18_400},
	{"GET", "/", 0, []int{200, 200, 200, 304}, 18_400},
	{"GET", "/products/%d", 900, []int{200, 200, 200, 200, 200, 404}, 12_700},
	{"GET", "/products/%d", 900, []int{200, 200, 200, 200, 304, 200}, 12_700},
	{"GET", "/products/%d/reviews?page=2", 900, []int{200}, 6_300},
	{"GET", "/static/app.%d.js", 9, []int{200, 304, 304}, 148_000},
	{"GET", "/static/site.%d.css", 9, []int{200, 304, 304}, 31_000},
	{"GET", "/images/%d.webp", 2400, []int{200, 200, 200, 304, 206}, 64_000},
	{"GET", "/images/%d.webp", 2400, []int{200, 200, 304, 304}, 64_000},
	{"GET", "/search?q=item+%d", 5000, []int{200, 200, 200, 200, 200, 400}, 9_100},
	{"POST", "/login", 0, []int{302, 302, 302, 401}, 320},
	{"POST", "/cart/items", 0, []int{201, 201, 201, 409, 422}, 540},
	{"GET", "/cart", 0, []int{200}, 4_800},
	{"POST", "/checkout", 0, []int{303, 303, 303, 402, 500}, 610},
	{"GET", "/api/v1/orders/%d", 70_000, []int{200, 200, 200, 200, 403, 429}, 2_200},
	{"DELETE", "/api/v1/sessions/%d", 70_000, []int{204, 204, 404}, 0},
	{"GET", "/healthz", 0, []int{200}, 2},
	{"GET", "/old/offers/%d", 400, []int{301, 301, 410}, 170},
	{"GET", "/wp-login.php", 0, []int{404}, 153},
	{"GET", "/robots.txt", 0, []int{200}, 68},
}

var (
	agents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"curl/8.9.1", "Go-http-client/2.0", "python-requests/2.32.3",
	}
	referers = []string{"-", "-", "-", "https://shop.example/", "https://shop.example/search?q=lamp", "https://www.google.com/"}
	users    = []string{"-", "-", "-", "-", "-", "-", "-", "amira", "jonas", "mei", "o'neill"}
	networks = []string{"203.0.113", "198.51.100", "192.0.2", "10.4.17", "10.4.18", "2001:db8:85a3::8a2e:370"}
)

func (g *generator) request() {
	k := one(g, kinds)
	path := k.path
	if k.ids > 0 {
		path = fmt.Sprintf(k.path, 1+g.pick(k.ids))
	}
	status := one(g, k.statuses)
	if g.outage && k.method == "POST" && g.pick(3) > 0 {
		status = one(g, []int{500, 502, 503, 504})
	}
	network, dot := one(g, networks), "."
	if network[len(network)-4] == ':' {
		dot = ":"
	}
	fmt.Fprintf(&g.out, "%s%s%d - %s [%s] \"%s %s HTTP/1.1\" %d %s \"%s\" \"%s\"\n",
		network, dot, 1+g.pick(254), one(g, users), g.now.Format("02/Jan/2006:15:04:05 -0700"),
		k.method, path, status, g.size(k, status), one(g, referers), one(g, agents))
}

func (g *generator) size(k kind, status int) string {
	if status == 204 || status == 304 {
		return "-"
	}
	if status >= 400 {
		return fmt.Sprint(120 + g.pick(80))
	}
	return fmt.Sprint(k.size/2 + g.pick(k.size+1))
}

// appLine writes a line that the application itself logs into the same file.
func (g *generator) appLine() {
	stamp := g.now.Format(time.RFC3339)
	switch g.pick(5) {
	case 0:
		fmt.Fprintf(&g.out, "%s ERROR payment: upstream timed out after 3s (order %d)\n", stamp, g.pick(70_000))
	case 1:
		fmt.Fprintf(&g.out, "%s WARN  cache: hit rate is down to %d%%\n", stamp, 20+g.pick(40))
	case 2:
		fmt.Fprintf(&g.out, "%s INFO  deploy: version 4.%d.0 is live\n", stamp, g.pick(30))
	case 3:
		fmt.Fprintf(&g.out, "level=warn time=%s msg=\"slow query\" took=%dms\n", stamp, 900+g.pick(4000))
	default:
		fmt.Fprintf(&g.out, "\tat shop.checkout.Payment.charge(Payment.java:%d)\n", 40+g.pick(200))
	}
}

// garbage writes a line that makes parsers fail: a line cut short by a full disk, a
// request that is no HTTP, bytes that are no text, an empty line.
func (g *generator) garbage() {
	stamp := g.now.Format("02/Jan/2006:15:04:05 -0700")
	switch g.pick(4) {
	case 0:
		fmt.Fprintf(&g.out, "198.51.100.%d - - [%s] \"GET /prod\n", 1+g.pick(254), stamp)
	case 1:
		fmt.Fprintf(&g.out, "203.0.113.%d - - [%s] \"\\x16\\x03\\x01\\x02\" 400 157 \"-\" \"-\"\n", 1+g.pick(254), stamp)
	case 2:
		g.out.Write([]byte{0x00, 0xff, 0xfe, 0x1b, '[', '3', '1', 'm', 0x80, '\r', '\n'})
	default:
		g.out.WriteByte('\n')
	}
}
