package ws

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// bearerPrefix is the beginning of a token that carries a credential, because a
// script in a browser cannot set a header. Such a token is never chosen, echoed
// or printed.
const bearerPrefix = "parley.bearer."

func isBearer(token string) bool {
	return len(token) >= len(bearerPrefix) && strings.EqualFold(token[:len(bearerPrefix)], bearerPrefix)
}

// moveBearer returns r with the credential among the tokens that it offers
// moved to an Authorization header. An error does not contain the credential.
func moveBearer(r *http.Request, tokens []string) (*http.Request, error) {
	names := withoutBearers(tokens)
	if len(names) == len(tokens) {
		return r, nil
	}
	p := r.WithContext(r.Context())
	p.Header = r.Header.Clone()
	p.Header.Set("Sec-WebSocket-Protocol", strings.Join(names, ", "))
	found := false
	for _, token := range tokens {
		encoded, ok := strings.CutPrefix(token, bearerPrefix)
		if !ok {
			continue // names are compared byte by byte
		}
		if found || r.Header["Authorization"] != nil {
			return nil, errors.New("there is more than one credential")
		}
		found = true
		credential, err := decodeBearer(encoded)
		if err != nil {
			return nil, err
		}
		p.Header.Set("Authorization", "Bearer "+credential)
	}
	return p, nil
}

func decodeBearer(encoded string) (string, error) {
	credential, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(credential) == 0 {
		return "", errors.New("a credential is base64url without padding, and not empty")
	}
	for _, b := range credential {
		if b < 0x21 || b > 0x7e {
			return "", errors.New("a credential has only bytes from 0x21 to 0x7e")
		}
	}
	return string(credential), nil
}
