package transport_test

import "github.com/parley-rpc/parley/internal/frame"

// The frames that a peer sends, encoded.

func open(id uint64, header string) []byte {
	return raw(frame.TypeOpen, 0, id, header)
}

func openEnd(id uint64) []byte {
	return raw(frame.TypeOpen, frame.FlagEnd, id, "")
}

func header(id uint64, header string) []byte {
	return raw(frame.TypeHeader, 0, id, header)
}

func data(id uint64, piece string) []byte { return raw(frame.TypeData, 0, id, piece) }

func dataMore(id uint64, piece string) []byte {
	return raw(frame.TypeData, frame.FlagMore, id, piece)
}

func dataEnd(id uint64, piece string) []byte {
	return raw(frame.TypeData, frame.FlagEnd, id, piece)
}

func end(id uint64, trailer string) []byte { return raw(frame.TypeEnd, 0, id, trailer) }

func reset(id, code uint64) []byte { return frame.AppendReset(nil, id, code, "for a test") }

func window(id, limit uint64) []byte { return frame.AppendWindow(nil, id, limit) }

func ping(opaque string) []byte { return raw(frame.TypePing, 0, 0, opaque) }

func pong(opaque string) []byte { return raw(frame.TypePong, 0, 0, opaque) }

func goAway(last uint64) []byte {
	g := frame.GoAway{LastStream: last, Reason: "for a test"}
	return g.Append(nil)
}

func hello() []byte { return new(frame.Hello).Append(nil) }

// raw encodes any frame, including invalid ones.
func raw(t frame.Type, f frame.Flags, id uint64, payload string) []byte {
	return frame.Append(nil, frame.Header{Type: t, Flags: f, Stream: id}, []byte(payload))
}
