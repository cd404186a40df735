package room

import (
	"cmp"
	"context"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/rpc"
)

// Listen sends the lines of a room. Each response has the position from which
// the next call continues.
func (s *Service) Listen(ctx context.Context, req *chatv1.ListenRequest, out rpc.Sender[chatv1.ListenResponse]) error {
	if err := checkName(req.Room); err != nil {
		return err
	}
	//snippet:listen
	from := cmp.Or(cluster.Position(req.Position), cluster.Oldest)
	return s.lines(req.Room).Serve(ctx, from, func(d cluster.Delivery[*chatv1.Said]) error {
		return out.Send(&chatv1.ListenResponse{
			Said: d.Message, Position: string(d.Position),
			Missed: d.Gap.Count, MissedMore: d.Gap.Unknown,
		})
	})
	//snippet:end
}
