package sarif

// The parts of a SARIF 2.1.0 log that Read looks at, by their names in the specification.

type log struct {
	Version string `json:"version" strict:"required"`
	Runs    []run  `json:"runs" strict:"required"`
}

type run struct {
	Tool struct {
		Driver driver `json:"driver" strict:"required"`
	} `json:"tool" strict:"required"`
	Invocations        []invocation                `json:"invocations"`
	Artifacts          []artifact                  `json:"artifacts"`
	OriginalURIBaseIDs map[string]artifactLocation `json:"originalUriBaseIds"`
	Results            []result                    `json:"results" strict:"required"`
}

type driver struct {
	Name                 string             `json:"name" strict:"required"`
	Rules                []descriptor       `json:"rules"`
	GlobalMessageStrings map[string]message `json:"globalMessageStrings"`
}

type descriptor struct {
	ID                   string `json:"id" strict:"required"`
	HelpURI              string `json:"helpUri"`
	DefaultConfiguration struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	MessageStrings map[string]message `json:"messageStrings"`
}

type invocation struct {
	ExecutionSuccessful            *bool          `json:"executionSuccessful" strict:"required"`
	ToolExecutionNotifications     []notification `json:"toolExecutionNotifications"`
	ToolConfigurationNotifications []notification `json:"toolConfigurationNotifications"`
}

type notification struct {
	Level   string  `json:"level"`
	Message message `json:"message"`
}

type artifact struct {
	Location artifactLocation `json:"location"`
}

type artifactLocation struct {
	URI       string `json:"uri"`
	URIBaseID string `json:"uriBaseId"`
	Index     *int   `json:"index"`
}

type result struct {
	RuleID    string `json:"ruleId"`
	RuleIndex *int   `json:"ruleIndex"`
	Rule      struct {
		ID    string `json:"id"`
		Index *int   `json:"index"`
	} `json:"rule"`
	Kind      string     `json:"kind"`
	Level     string     `json:"level"`
	Message   message    `json:"message" strict:"required"`
	Locations []location `json:"locations"`
	Fixes     []fix      `json:"fixes"`
}

type message struct {
	Text      string   `json:"text"`
	ID        string   `json:"id"`
	Arguments []string `json:"arguments"`
}

type location struct {
	PhysicalLocation struct {
		ArtifactLocation artifactLocation `json:"artifactLocation"`
		Region           region           `json:"region"`
	} `json:"physicalLocation"`
}

type region struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
	EndLine     int `json:"endLine"`
	EndColumn   int `json:"endColumn"`
}

type fix struct {
	Description message `json:"description"`
}
