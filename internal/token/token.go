package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// Prefix is the start of every generated token. People and secret scanners recognize a token by it.
const Prefix = "scim_"

const (
	maxHeaderBytes  = 512 // of an Authorization header
	randomLetters   = 52  // 256 bits in base32
	checksumLetters = 7   // 32 bits in base32
	hashDigits      = 2 * sha256.Size
)

var base32Hex = base32.HexEncoding.WithPadding(base32.NoPadding)

// New generates a token for a tenant: Prefix, the tenant's name, "_", 52 random letters, and 7 letters of checksum.
// The name lets Authenticate read the token and the tenant in one call. The checksum, a CRC-32 of everything before
// it, lets a secret scanner reject strings that only resemble a token.
func New(tenant string) string {
	s := Prefix + tenant + "_" + randomBase32(randomLetters)
	return s + checksumOf(s)
}

// randomBase32 returns n random letters. n must be the length of a whole number of bytes in base32.
func randomBase32(n int) string {
	b := make([]byte, n*5/8)
	rand.Read(b) // never fails
	return encodeBase32(b)
}

func encodeBase32(b []byte) string { return strings.ToLower(base32Hex.EncodeToString(b)) }

func checksumOf(s string) string {
	return encodeBase32(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

// tenantFromToken returns the tenant's name in a generated token. A token without Prefix was chosen by an operator and
// names no tenant: the result is "" and true. ok is false if a token has Prefix but New cannot have generated it.
func tenantFromToken(secret string) (tenant string, ok bool) {
	if !strings.HasPrefix(secret, Prefix) {
		return "", true
	}
	return cutGenerated(secret, Prefix, randomLetters)
}

// cutGenerated returns what a generated string has between the prefix and "_" with a number of random letters. ok is false if
// the string does not have this form, or a wrong checksum.
func cutGenerated(s, prefix string, letters int) (name string, ok bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	separator := len(rest) - letters - checksumLetters - 1
	if !ok || separator < 1 || rest[separator] != '_' ||
		strings.Trim(rest[separator+1:], "0123456789abcdefghijklmnopqrstuv") != "" ||
		checksumOf(s[:len(s)-checksumLetters]) != s[len(s)-checksumLetters:] {
		return "", false
	}
	return rest[:separator], true
}

// tokenFromHeaders returns the token in the Authorization headers of a request. It accepts the three forms that Okta
// sends: Bearer (RFC 6750 §2.1), the password of Basic (RFC 7617 §2), and the token alone, whose scheme is "". ok is false if
// there is not exactly one header, or if the header has another form.
func tokenFromHeaders(authorization []string) (scheme, secret string, ok bool) {
	if len(authorization) != 1 || len(authorization[0]) > maxHeaderBytes ||
		strings.ContainsFunc(authorization[0], isNotPrintableASCII) {
		return "", "", false
	}
	fields := strings.Split(strings.TrimSpace(authorization[0]), " ")
	scheme, rest := strings.ToLower(fields[0]), fields[1:]
	switch {
	case len(rest) == 0 && scheme != "bearer" && scheme != "basic":
		scheme, secret = "", fields[0]
	case len(rest) == 1 && scheme == "bearer":
		secret = rest[0]
	case len(rest) == 1 && scheme == "basic":
		decoded, err := base64.StdEncoding.DecodeString(rest[0])
		_, password, found := strings.Cut(string(decoded), ":")
		if err != nil || !found {
			return "", "", false
		}
		secret = password
	}
	return scheme, secret, secret != ""
}

func isNotPrintableASCII(r rune) bool { return r < ' ' || r > '~' }

func hashToken(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

// tokenID returns the ID of the token with a hash: the first 16 hexadecimal digits of the hash. The ID may be logged
// and shown, because it reveals nothing about the token.
func tokenID(hash string) string { return hash[:16] }
