package cluster

import (
	"crypto/sha256"
	"encoding/base64"
	"unicode/utf8"

	"github.com/parley-rpc/parley/rpc"
)

const (
	maxClientName  = 1024 // bytes
	maxPlainToken  = 150  // bytes of a token that is a name as a whole; longer ones are hashed
	maxNodeName    = 255  // bytes
	maxURL         = 2048 // bytes
	maxSessionName = 256  // bytes
	maxMeta        = 1024 // bytes of keys and values
)

// checkClientName returns an error if a client cannot have the name.
func checkClientName(name string) error {
	switch {
	case name == "":
		return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: a client's name is empty")
	case len(name) > maxClientName:
		return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: a client's name of %d bytes: at most %d are allowed", len(name), maxClientName)
	case !utf8.ValidString(name):
		return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: a client's name is not UTF-8")
	}
	return nil
}

// clientToken follows the prefix in the subject of a client.
const clientToken = ".client."

// clientSubject returns the subject of a client.
func clientSubject(prefix, name string) string {
	return prefix + clientToken + nameToken(name)
}

// nameToken returns the end of the subject of a name. Long names are hashed, to
// two tokens, which no other name has.
func nameToken(name string) string {
	if token := base64.RawURLEncoding.EncodeToString([]byte(name)); len(token) <= maxPlainToken {
		return token
	}
	hash := sha256.Sum256([]byte(name))
	return "h." + base64.RawURLEncoding.EncodeToString(hash[:])
}
