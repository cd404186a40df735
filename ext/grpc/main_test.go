package grpcparley_test

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/encoding"
)

func TestMain(m *testing.M) {
	encoding.RegisterCodec(shout{})
	goleak.VerifyTestMain(m)
}
