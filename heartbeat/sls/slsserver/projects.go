package slsserver

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what requests can create.
const (
	maxProjects    = 1000
	maxLogstores   = 1000
	maxDescription = 1 << 10
	maxPage        = 500
)

// projectInfo is a project in the answers of GetProject and ListProject. Some clients fail without
// the fields that have no meaning here.
type projectInfo struct {
	Name          string `json:"projectName"`
	Description   string `json:"description"`
	Status        string `json:"status"`
	Region        string `json:"region"`
	Owner         string `json:"owner"`
	Created       string `json:"createTime"`
	Modified      string `json:"lastModifyTime"`
	ResourceGroup string `json:"resourceGroupId"`
	Redundancy    string `json:"dataRedundancyType"`
}

func (p *project) info() projectInfo {
	created := p.created.Format(time.DateTime)
	return projectInfo{
		Name: p.name, Description: p.description, Status: "Normal", Created: created, Modified: created, Redundancy: "LRS",
	}
}

// projectOf returns the project that a request is about: the one that its body names, or else the
// one that its host or path names. It refuses two different names.
func (c *call) projectOf() (string, object, error) {
	var o object
	if len(c.body) > 0 {
		var err error
		if o, err = parseObject(c.body); err != nil {
			return "", nil, badJSON(err)
		}
	}
	name, ok := o.text("projectName")
	switch {
	case !ok && o.has("projectName"):
		return "", nil, fail(400, "JsonInfoInvalid", "projectName is of the wrong kind")
	case name == "":
		name = c.project
	case name != c.project && !c.unnamed:
		return "", nil, badParameter("the host or the path names the project %s, and the body another one", c.project)
	}
	if !validName(name) {
		return "", nil, badParameter("bad project name %q", name)
	}
	return name, o, c.mayUse(name)
}

func (s *Server) createProject(c *call) error {
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	name, o, err := c.projectOf()
	if err != nil {
		return err
	}
	description, ok := o.text("description")
	if !ok && o.has("description") || len(description) > maxDescription {
		return badParameter("the description is not a text of up to %d bytes", maxDescription)
	}
	err = s.makeProject(name, description)
	if errors.Is(err, errExists) {
		return fail(400, "ProjectAlreadyExist", "Project %s already exists", name)
	}
	if err != nil {
		return err
	}
	return c.reply("", nil)
}

func (s *Server) findProject(name string) (*project, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.projects[name]; p != nil {
		return p, nil
	}
	return nil, noProject(name)
}

func (s *Server) getProject(c *call) error {
	p, err := s.findProject(c.project)
	if err != nil {
		return err
	}
	return c.replyJSON(p.info())
}

// listProjects lists the projects that the key may use. A client that uses an empty name for the
// default project sends the same request, so the answer also describes that project.
func (s *Server) listProjects(c *call) error {
	var answer struct {
		*projectInfo
		Count    int           `json:"count"`
		Total    int           `json:"total"`
		Projects []projectInfo `json:"projects"`
	}
	s.mu.RLock()
	all := map[string]projectInfo{}
	for name, p := range s.projects {
		if c.mayUse(name) == nil {
			all[name] = p.info()
		}
	}
	s.mu.RUnlock()
	names, total, err := page(c.query, "projectName", slices.Sorted(maps.Keys(all)))
	if err != nil {
		return err
	}
	answer.Count, answer.Total, answer.Projects = len(names), total, make([]projectInfo, len(names))
	for i, name := range names {
		answer.Projects[i] = all[name]
	}
	if info, ok := all[c.project]; ok && c.unnamed {
		answer.projectInfo = &info
	}
	return c.replyJSON(answer)
}

// page returns one page of the names that contain the value of the parameter pattern. The
// parameters offset and size choose the page. total is the number of names in all pages.
func page(q url.Values, pattern string, names []string) (part []string, total int, err error) {
	offset, size := 0, maxPage
	for name, n := range map[string]*int{"offset": &offset, "size": &size} {
		if text := q.Get(name); text != "" {
			if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
				return nil, 0, badParameter("the %s is %q", name, text)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, q.Get(pattern)) })
	from := min(offset, len(names))
	return names[from:min(from+min(size, maxPage), len(names))], len(names), nil
}

func (s *Server) deleteProject(c *call) error {
	name, _, err := c.projectOf()
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.projects[name]
	if p == nil {
		s.mu.Unlock()
		return noProject(name)
	}
	delete(s.projects, name)
	s.mu.Unlock()
	for _, ls := range p.logstores {
		ls.remove(noProject(name))
	}
	return c.reply("", nil)
}
