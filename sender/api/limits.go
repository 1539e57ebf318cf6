package api

import (
	"strconv"
	"strings"

	"github.com/videocloud/webhooks/config"
)

// limits are the constants that tags name as bounds, so that what the OpenAPI document states is what the rules go by.
var limits = map[string]int{
	"MaxBatchEvents": config.MaxBatchEvents, "MaxAccountName": config.MaxAccountName, "MaxNotifyEmails": config.MaxNotifyEmails,
	"MaxTypeDescription": config.MaxTypeDescription, "MaxTypeGroup": config.MaxTypeGroup, "MaxURL": config.MaxURL, "MaxEventID": config.MaxEventID,
	"MinSecretSize": config.MinSecretSize, "MaxSecretSize": config.MaxSecretSize, "MaxKeyDescription": MaxKeyDescription,
	"MaxHeaders": config.MaxHeaders, "MaxHeaderName": config.MaxHeaderName, "MaxHeaderValue": config.MaxHeaderValue,
}

// limit is the bound that a tag states, or names. That of a duration is none.
func limit(tag string) (n int, ok bool) {
	if n, ok = limits[tag]; ok {
		return n, true
	}
	if strings.HasPrefix(tag, "M") {
		panic("no limit " + tag)
	}
	n, err := strconv.Atoi(tag)
	return n, err == nil
}
