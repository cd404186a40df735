// Package validate shows interceptors that validate messages by the rules in
// their .proto, with protovalidate.
package validate

import (
	"context"
	"errors"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// Received returns an interceptor for handlers, which never see a message that
// breaks a rule: the call ends with INVALID_ARGUMENT, whose detail is a
// buf.validate.Violations.
//
//snippet:received
func Received(v protovalidate.Validator) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			checked := &receiving{Stream: s, validator: v}
			err := next(ctx, checked)
			if checked.invalid != nil {
				return checked.invalid // whatever the handler made of it
			}
			return err
		}
	}
}

type receiving struct {
	rpc.Stream
	validator protovalidate.Validator
	invalid   error
}

func (s *receiving) Recv(msg any) error {
	if s.invalid != nil {
		return s.invalid
	}
	if err := s.Stream.Recv(msg); err != nil {
		return err
	}
	s.invalid = check(s.validator, msg)
	return s.invalid
}

//snippet:end

// Sent returns an interceptor for calls, which sends no message that breaks a
// rule: Send returns the error that a server with Received answers.
//
//snippet:sent
func Sent(v protovalidate.Validator) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			return next(ctx, &sending{Stream: s, validator: v})
		}
	}
}

type sending struct {
	rpc.Stream
	validator protovalidate.Validator
}

func (s *sending) Send(msg any) error {
	if err := check(s.validator, msg); err != nil {
		return err
	}
	return s.Stream.Send(msg)
}

//snippet:end

// check returns the violations as an error.
//
//snippet:check
func check(v protovalidate.Validator, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return nil // such as *rpc.Raw, which nothing is known of
	}
	err := v.Validate(m)
	var broken *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &broken):
		return rpc.Errorf(rpc.CodeInvalidArgument, "%s: %w", m.ProtoReflect().Descriptor().FullName(), err).
			WithDetail(broken.ToProto())
	default:
		return rpc.Errorf(rpc.CodeInternal, "rules of %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
}

//snippet:end
