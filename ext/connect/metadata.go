package parleyconnect

import (
	"net/textproto"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/parley-rpc/parley/rpc"
)

// notMetadata has the headers of a request that are not metadata of the call:
// those of HTTP and of the protocols, and those that browsers add by themselves.
// rpc.Peer has all headers.
var notMetadata = set(
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cookie", "Dnt", "Host", "Origin", "Priority",
	"Referer", "User-Agent", "X-Grpc-Web", "X-User-Agent",
)

// notSent has the headers of HTTP that a handler cannot set.
var notSent = set(
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Vary",
)

// protocolPrefixes begin the names of headers of the protocols, and of those by
// which browsers and servers agree on who may call.
var protocolPrefixes = []string{"Access-Control-", "Connect-", "Grpc-", "Sec-"}

func set(names ...string) map[string]struct{} {
	all := make(map[string]struct{}, len(names))
	for _, name := range names {
		all[name] = struct{}{}
	}
	return all
}

// isProtocol reports whether a header belongs to HTTP or to a protocol, in
// either direction.
func isProtocol(name string) bool {
	for _, prefix := range protocolPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	_, reserved := notSent[name]
	return reserved
}

// isBinary reports whether the values of a header are bytes, in base64.
func isBinary(name string) bool { return strings.HasSuffix(name, "-Bin") }

// incoming returns the metadata of a request.
func incoming(h *connect.Header) rpc.Metadata {
	md := make(rpc.Metadata)
	for name, values := range h.All() {
		if _, left := notMetadata[name]; left || isProtocol(name) {
			continue
		}
		key := strings.ToLower(name)
		for _, v := range values {
			if !isBinary(name) {
				md[key] = append(md[key], strings.Trim(v, " \t"))
				continue
			}
			for part := range strings.SplitSeq(v, ",") {
				if data, err := connect.DecodeBinaryHeader(strings.Trim(part, " \t")); err == nil {
					md[key] = append(md[key], string(data))
				}
			}
		}
	}
	return md
}

// outgoing adds metadata to the header or the trailer of a response.
func outgoing(h *connect.Header, md rpc.Metadata) {
	for key, values := range md {
		name := textproto.CanonicalMIMEHeaderKey(key)
		if isProtocol(name) {
			continue
		}
		for _, v := range values {
			if isBinary(name) {
				v = connect.EncodeBinaryHeader([]byte(v))
			}
			h.Add(name, v)
		}
	}
}
