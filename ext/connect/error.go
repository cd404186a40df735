package parleyconnect

import (
	"errors"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/parley-rpc/parley/rpc"
)

// connectError returns the status of a call as an error of connect. The codes
// have the same numbers.
func connectError(err error) error {
	if err == nil {
		return nil
	}
	status := rpc.StatusOf(err)
	e := connect.NewError(connect.Code(status.Code()), strings.ToValidUTF8(status.Message(), "\uFFFD"))
	for _, d := range status.Details() {
		name := d.GetTypeUrl()
		name = name[strings.LastIndexByte(name, '/')+1:]
		e = e.WithDetail(&connect.ErrorDetail{Type: name, Value: d.GetValue()})
	}
	return e
}

// parleyError returns an error of connect as a status.
func parleyError(err error) error {
	var e *connect.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	return rpc.Errorf(rpc.Code(e.Code()), "%s", e.Message())
}
