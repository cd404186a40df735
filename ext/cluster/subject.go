package cluster

import (
	"fmt"
	"strings"
)

const maxSubject = 255

// CheckSubject returns an error if the text is no subject of a Bus. It is for
// implementations of Bus.
func CheckSubject(subject string) error {
	if len(subject) > maxSubject {
		return fmt.Errorf("cluster: subject of %d bytes: at most %d are allowed", len(subject), maxSubject)
	}
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" {
			return fmt.Errorf("cluster: subject %q has an empty token", subject)
		}
		if strings.ContainsFunc(token, isNotOfSubject) {
			return fmt.Errorf("cluster: subject %q: only A-Z, a-z, 0-9, - and _ are allowed, with dots between tokens", subject)
		}
	}
	return nil
}

func isNotOfSubject(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}
