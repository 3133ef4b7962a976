package directory

import "serverless-scim/internal/scim"

const (
	MaxReturnedMembers = maxReturnedMembers
	MaxDisplayNames    = maxDisplayNames
)

// Object returns the resource with all its attributes. It does not use the code of AppendJSON.
func (r *Resource) Object() scim.Object {
	o, err := r.dir.store.BuildObject(r.dir.baseURL, r.state, r.names, true)
	if err != nil {
		panic(err)
	}
	return o
}

func (r *Resource) SetDocument(doc string) { r.state.Head.Document = doc }

func (r *Resource) SetMembers(ids []string) { r.state.Members = ids }
