// Package token is bearer tokens, and the tenants that they open. A token is 256 random bits; the table keeps its
// SHA-256 alone, which is enough for what cannot be guessed. There is no way in without a token, none that never ends,
// and no token for all tenants. It knows no resource: what a tenant has is another package's.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
)

// ErrUnauthorized says that a request has no token, more than one, or one that is not valid. It does not say which.
var ErrUnauthorized = errors.New("token: unauthorized")

// Prefix begins every token that is made here, so that people and scanners recognise one.
const Prefix = "scim_"

const (
	maxHeaderBytes  = 512 // bytes of an Authorization header
	randomLetters   = 52  // letters
	checksumLetters = 7   // letters
)

var letters = base32.HexEncoding.WithPadding(base32.NoPadding)

// New makes a token of a tenant: the prefix, the tenant's name (so that one call finds both), 52 letters that are random
// and 7 that are the CRC-32 of all before them, by which a scanner tells a token from what merely looks like one.
func New(tenant string) string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	s := Prefix + tenant + "_" + encode(b)
	return s + checksumOf(s)
}

func encode(b []byte) string { return strings.ToLower(letters.EncodeToString(b)) }

func checksumOf(s string) string {
	return encode(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

// tenantFromToken is the tenant that a token names; ok is false where it is no token that was made here. A token that an
// operator chose has neither prefix nor name.
func tenantFromToken(secret string) (tenant string, ok bool) {
	rest, ours := strings.CutPrefix(secret, Prefix)
	if !ours {
		return "", true
	}
	at := len(rest) - randomLetters - checksumLetters - 1
	if at < 1 || rest[at] != '_' || strings.Trim(rest[at+1:], "0123456789abcdefghijklmnopqrstuv") != "" ||
		checksumOf(secret[:len(secret)-checksumLetters]) != secret[len(secret)-checksumLetters:] {
		return "", false
	}
	return rest[:at], true
}

// tokenFromHeaders is the token in the Authorization headers of a request, in one of the ways in which Okta sends it: as Bearer
// (RFC 6750 §2.1), as the password of Basic (RFC 7617 §2), or bare.
func tokenFromHeaders(authorization []string) (secret string, ok bool) {
	if len(authorization) != 1 || len(authorization[0]) > maxHeaderBytes || strings.ContainsFunc(authorization[0], isNotPrintableASCII) {
		return "", false
	}
	fields := strings.Split(strings.TrimSpace(authorization[0]), " ")
	scheme, rest := strings.ToLower(fields[0]), fields[1:]
	switch {
	case len(rest) == 0 && scheme != "bearer" && scheme != "basic":
		secret = fields[0]
	case len(rest) == 1 && scheme == "bearer":
		secret = rest[0]
	case len(rest) == 1 && scheme == "basic":
		decoded, err := base64.StdEncoding.DecodeString(rest[0])
		_, password, found := strings.Cut(string(decoded), ":")
		if err != nil || !found {
			return "", false
		}
		secret = password
	}
	return secret, secret != ""
}

// isNotPrintableASCII tells what no header of ours holds: anything but printable ASCII.
func isNotPrintableASCII(r rune) bool { return r < ' ' || r > '~' }

func hashToken(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

// tokenID is how people name a token: the beginning of its hash, which tells nothing of the token.
func tokenID(hash string) string { return hash[:16] }
