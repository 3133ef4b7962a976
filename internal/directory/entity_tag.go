package directory

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
)

// digestChars is the number of hexadecimal digits of the digest in an entity tag.
const digestChars = 8

// EntityTag returns the entity tag of what AppendJSON renders with a projection (RFC 9110 §8.8.3). It is the version. If
// the JSON shows display names of other resources, a digest of these names follows: W/"2.1-1a2b3c4d". A rename of
// another resource changes its display name here, but not the version of this resource.
func (r *Resource) EntityTag(p scim.Projection) string {
	if len(r.names.ByID)+len(r.names.Missing) == 0 {
		return r.Version
	}
	return string(r.appendEntityTag(nil, p))
}

// VersionOf returns the version in an entity tag, which is the tag without its digest of display names. It returns a
// tag without a digest unchanged. The prefix W/ may be missing.
func VersionOf(tag string) string {
	version, rest, _ := strings.Cut(tag, "-")
	digest, ok := strings.CutSuffix(rest, `"`)
	if !ok || len(digest) != digestChars || strings.Trim(digest, "0123456789abcdef") != "" {
		return tag
	}
	return version + `"`
}

func (r *Resource) appendEntityTag(b []byte, p scim.Projection) []byte {
	digest, ok := r.digestDisplayNames(p)
	if !ok {
		return append(b, r.Version...)
	}
	b = append(append(b, strings.TrimSuffix(r.Version, `"`)...), '-')
	var bytes [digestChars / 2]byte
	binary.BigEndian.PutUint32(bytes[:], digest)
	return append(hex.AppendEncode(b, bytes[:]), '"')
}

// digestDisplayNames returns a digest of the display names of other resources that AppendJSON shows. A missing resource
// counts as a display name, because AppendJSON omits it before the version changes. If there is neither, ok is false.
func (r *Resource) digestDisplayNames(p scim.Projection) (digest uint32, ok bool) {
	if len(r.names.ByID)+len(r.names.Missing) == 0 {
		return 0, false
	}
	hash, element := fnv.New64a(), []byte(nil)
	for _, list := range r.references() {
		if list.attribute == nil || !p.Includes(list.attribute) {
			continue
		}
		showsNames := p.IncludesSub(list.attribute, list.attribute.Sub("display"))
		if !slices.IsSorted(list.ids) { // a table returns the IDs in any order, which has no meaning
			list.ids = slices.Sorted(slices.Values(list.ids))
		}
		for _, id := range list.ids {
			missing, name := r.names.Missing[id], ""
			if showsNames {
				name = r.displayName(id)
			}
			ok = ok || missing || name != ""
			element = appendDigestElement(element[:0], missing, name)
			hash.Write(element)
		}
	}
	sum := hash.Sum64()
	return uint32(sum>>32) ^ uint32(sum), ok
}

// appendDigestElement appends what a digest contains for one ID: 0 for a missing resource, and otherwise the length of the
// name plus 1, and the name. The version determines the IDs themselves and their number.
func appendDigestElement(b []byte, missing bool, name string) []byte {
	if missing {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(name)+1)), name...)
}
