package heartbeat

import (
	"reflect"
	"strings"
	"testing"
)

// each calls f with every single guarantee that there is.
func each(f func(name string, g Guarantees)) {
	typ := reflect.TypeFor[Guarantees]()
	for i := range typ.NumField() {
		var g Guarantees
		reflect.ValueOf(&g).Elem().Field(i).SetBool(true)
		f(typ.Field(i).Name, g)
	}
}

func TestGuaranteesMissing(t *testing.T) {
	var all, none Guarantees
	each(func(name string, _ Guarantees) { reflect.ValueOf(&all).Elem().FieldByName(name).SetBool(true) })
	each(func(name string, one Guarantees) {
		others := one.Missing(all)
		for _, c := range []struct{ has, want, missing Guarantees }{
			{none, one, one},
			{one, none, none},
			{one, one, none},
			{all, one, none},
			{others, one, one},
			{others, all, one},
		} {
			if got := c.has.Missing(c.want); got != c.missing {
				t.Errorf("%s: {%s}.Missing({%s}) = {%s}, want {%s}", name, c.has, c.want, got, c.missing)
			}
		}
	})
}

func TestGuaranteesString(t *testing.T) {
	if got := (Guarantees{}).String(); got != "none" {
		t.Errorf("the zero value prints as %q, want none", got)
	}
	var all Guarantees
	var names []string
	each(func(name string, one Guarantees) {
		if got := one.String(); got != name {
			t.Errorf("%s alone prints as %q", name, got)
		}
		reflect.ValueOf(&all).Elem().FieldByName(name).SetBool(true)
		names = append(names, name)
	})
	if got, want := all.String(), strings.Join(names, ", "); got != want {
		t.Errorf("all of them print as %q, want %q", got, want)
	}
}
