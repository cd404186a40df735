package command

import (
	"encoding/json"

	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// statusError is a status other than OK, with readable details.
type statusError struct {
	status  *status.Status
	details []json.RawMessage
}

func (e *statusError) Error() string { return e.status.Message() }

func (e *statusError) report() report {
	code := rpc.Code(e.status.Code()).String()
	return report{Exit: exitStatus, Code: code, Message: oneLine(e.status.Message()), Details: e.details}
}
