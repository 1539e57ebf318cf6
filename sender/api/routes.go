package api

import (
	"net/http"

	"github.com/videocloud/webhooks/sender"
)

// Tags of the OpenAPI document.
const (
	tagWebhooks   = "webhooks"
	tagEvents     = "events"
	tagDeliveries = "deliveries"
	tagReplays    = "replays"
	tagStats      = "stats"
	tagKeys       = "keys"
	tagAccounts   = "accounts"
	tagMeta       = "meta"
	tagDelivered  = "delivered"
)

// bodyErrors are what every route of a method with a body can answer, also one that takes none and refuses what is sent.
var bodyErrors = []sender.Code{sender.CodeInvalidJSON, sender.CodePayloadTooLarge, sender.CodeUnsupportedMedia}

var notFound = []sender.Code{sender.CodeNotFound}

// routes is the whole API, in the order in which the OpenAPI document lists it.
var routes = []route{
	{
		method: http.MethodPost, path: "/webhooks", operation: "createWebhook", tag: tagWebhooks, access: accessManage,
		summary: "Register a webhook",
		description: "Without a secret one is made and shown in this answer only; a secret is never shown again. The same " +
			"Idempotency-Key again within 72 hours answers the webhook of the first request, without its secret; with another body it is a conflict.",
		idempotent: "Answers a repetition with the first webhook.", status: http.StatusCreated, location: "the webhook", endpoint: withBody(maxConfigBody, (*call).createWebhook),
		errors: []sender.Code{sender.CodeUnknownEventType, sender.CodeUnsafeURL, sender.CodeLimitReached, sender.CodeConflict},
	},
	{
		method: http.MethodGet, path: "/webhooks", operation: "listWebhooks", tag: tagWebhooks, access: accessRead, scope: scopeFree,
		summary: "List the webhooks, oldest first", query: []string{paramLimit, paramCursor}, endpoint: withoutBody((*call).listWebhooks),
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}", operation: "getWebhook", tag: tagWebhooks, access: accessRead, scope: scopeWebhook,
		summary: "Get a webhook", errors: notFound, endpoint: withoutBody((*call).getWebhook),
	},
	updateRoute(http.MethodPut, "updateWebhook"),
	updateRoute(http.MethodPatch, "patchWebhook"),
	{
		method: http.MethodDelete, path: "/webhooks/{id}", operation: "deleteWebhook", tag: tagWebhooks, access: accessManage, scope: scopeWebhook,
		summary: "Delete a webhook", description: "Its waiting deliveries are cancelled.",
		errors: notFound, endpoint: withoutBody((*call).deleteWebhook),
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/test", operation: "testWebhook", tag: tagWebhooks, access: accessManage, scope: scopeWebhook,
		summary: "Send a test event", description: "Publishes one webhook.test event, or the example of a type, to this webhook only. The body may be left out.",
		optional: true, status: http.StatusAccepted, endpoint: readsBody[newTest]((*call).testWebhook),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeInvalidData},
	},
	{
		method: http.MethodPost, path: "/webhooks/filter-test", operation: "testFilter", tag: tagWebhooks, access: accessManage, scope: scopeFree, accountless: true, changesNothing: true,
		summary: "Try out a filter", description: "Says whether an event with these data would go to a webhook with this filter. Nothing is stored or sent.",
		errors: []sender.Code{sender.CodeUnknownEventType}, endpoint: withBody(maxFilterTest, (*call).testFilter),
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}/deliveries", operation: "listDeliveries", tag: tagDeliveries, access: accessRead, scope: scopeWebhook,
		summary:     "List a webhook's deliveries, newest first",
		description: "Only a missing nextCursor ends the list: a page may be short, even empty, where a filter leaves much out.",
		query:       []string{paramState, paramEvent, paramSince, paramUntil, paramLimit, paramCursor}, errors: notFound, endpoint: withoutBody((*call).listDeliveries),
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/replay", operation: "startReplay", tag: tagReplays, access: accessManage, scope: scopeWebhook,
		summary: "Send past deliveries again",
		description: "Starts a durable job that sends at most 100 deliveries a second. A dry run only counts. " +
			"`unavailable` counts the deliveries whose payload has expired.",
		status: http.StatusAccepted, location: "the job, unless it is a dry run", endpoint: withBody(maxConfigBody, (*call).startReplay),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeLimitReached},
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/retry", operation: "retryWebhook", tag: tagReplays, access: accessManage, scope: scopeWebhook,
		summary: "Send the failed deliveries again", description: "Starts a replay of all that failed, or of those of one type or time.",
		status: http.StatusAccepted, location: "the job", endpoint: withBody(maxConfigBody, (*call).retryWebhook),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeLimitReached},
	},
	{
		method: http.MethodGet, path: "/replays", operation: "listReplays", tag: tagReplays, access: accessRead, scope: scopeFree,
		summary: "List the replays, newest first", query: []string{paramLimit, paramCursor}, endpoint: withoutBody((*call).listReplays),
	},
	{
		method: http.MethodDelete, path: "/replays/{id}", operation: "cancelReplay", tag: tagReplays, access: accessManage, scope: scopeFree,
		summary: "Cancel the rest of a replay", errors: notFound, endpoint: withoutBody((*call).cancelReplay),
	},
	{
		method: http.MethodGet, path: "/replays/{id}", operation: "getReplay", tag: tagReplays, access: accessRead, scope: scopeFree,
		summary: "Get a replay's progress", errors: notFound, endpoint: withoutBody((*call).getReplay),
	},
	{
		method: http.MethodPost, path: "/events", operation: "publishEvent", tag: tagEvents, access: accessPublish,
		summary: "Publish an event",
		description: "Answered only once the event is stored. The same ID again within 72 hours, with the same event, data and " +
			"(if given) timestamp, gets the first answer and `duplicate: true`; with others it is a conflict.",
		idempotent: "The event's ID where the body has none.", status: http.StatusAccepted, endpoint: readsBody[newEvent]((*call).publish),
		errors: []sender.Code{sender.CodeUnknownEventType, sender.CodeInvalidData, sender.CodeConflict, sender.CodeLimitReached, sender.CodeLoop},
	},
	{
		method: http.MethodPost, path: "/events/batch", operation: "publishBatch", tag: tagEvents, access: accessPublish,
		summary: "Publish up to 1,000 events",
		description: "`items` are in the order of `events`: each the event's answer, or what is wrong with it. " +
			"An Idempotency-Key has no meaning here; give each event its own `id`.",
		status: http.StatusAccepted, errors: []sender.Code{sender.CodeLoop}, endpoint: readsBody[eventBatch]((*call).publishBatch),
	},
	{
		method: http.MethodGet, path: "/events", operation: "listEvents", tag: tagEvents, access: accessRead,
		summary: "List events, newest first",
		description: "Without their payloads, and with how many of their deliveries are in which state; for 72 hours at least. " +
			"A page for one type may be short, even empty: only a missing `nextCursor` ends the list.",
		query: []string{paramEvent, paramSince, paramUntil, paramLimit, paramCursor}, endpoint: withoutBody((*call).listEvents),
	},
	{
		method: http.MethodGet, path: "/events/{id}", operation: "getEvent", tag: tagEvents, access: accessAny, scope: scopeFree,
		summary: "Get an event and its deliveries", errors: notFound, endpoint: withoutBody((*call).getEvent),
	},
	{
		method: http.MethodDelete, path: "/events/{id}", operation: "deleteEvent", tag: tagEvents, access: accessExpunge,
		summary: "Delete an event",
		description: "Its data and all kept answers to it are gone at once, and its waiting deliveries are cancelled. Its ID stays known for 72 hours: " +
			"publishing it again is a conflict.",
		errors: notFound, endpoint: withoutBody((*call).deleteEvent),
	},
	{
		method: http.MethodGet, path: "/event-types", operation: "listEventTypes", tag: tagEvents, access: accessAny, scope: scopeFree, accountless: true,
		summary: "List the event types", endpoint: withoutBody((*call).listEventTypes),
	},
	{
		method: http.MethodGet, path: "/deliveries", operation: "listAccountDeliveries", tag: tagDeliveries, access: accessRead, scope: scopeFree,
		summary:     "List the deliveries of an account, newest first",
		description: "Only a missing nextCursor ends the list: a page may be short, even empty, where a filter leaves much out.",
		query:       []string{paramState, paramEvent, paramEventID, paramWebhookID, paramSince, paramUntil, paramLimit, paramCursor}, endpoint: withoutBody((*call).listAccountDeliveries),
	},
	{
		method: http.MethodPut, path: "/event-types/{name}", operation: "putEventType", tag: tagEvents, access: accessOperator, accountless: true,
		summary: "Make or change an event type",
		description: "Changes only the fields given; null takes one away. From then on data of the type must fit its schema, in every process within a second. " +
			"By a key of every account.",
		errors: []sender.Code{sender.CodeConflict, sender.CodeLimitReached}, endpoint: withBody(maxConfigBody, (*call).putEventType),
	},
	{
		method: http.MethodDelete, path: "/event-types/{name}", operation: "deleteEventType", tag: tagEvents, access: accessOperator, accountless: true,
		summary: "Delete an event type", description: "Those of the configuration can't be deleted. By a key of every account.",
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict}, endpoint: withoutBody((*call).deleteEventType),
	},
	{
		method: http.MethodGet, path: "/deliveries/{id}", operation: "getDelivery", tag: tagDeliveries, access: accessRead, scope: scopeDelivery,
		summary: "Get a delivery and its attempts", errors: notFound, endpoint: withoutBody((*call).getDelivery),
	},
	{
		method: http.MethodPost, path: "/deliveries/{id}/retry", operation: "retryDelivery", tag: tagDeliveries, access: accessManage, scope: scopeDelivery,
		summary: "Send a delivery again", description: "It is due now, with a fresh retry table. A conflict where its payload has expired.",
		status: http.StatusAccepted, errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict}, endpoint: withoutBody((*call).retryDelivery),
	},
	{
		method: http.MethodGet, path: "/stats", operation: "getStats", tag: tagStats, access: accessRead, scope: scopeFree, accountless: true,
		summary: "Get attempts by outcome over time",
		description: "60 buckets of a minute, 48 of half an hour, or 56 of three hours. Of the account; with a key of every account that names none, of all. " +
			"With a token for one webhook, of that.",
		query: []string{paramWindow}, endpoint: withoutBody((*call).getStats),
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}/stats", operation: "getWebhookStats", tag: tagStats, access: accessRead, scope: scopeWebhook,
		summary: "Get a webhook's attempts by outcome over time", description: "60 buckets of a minute, 48 of half an hour, or 56 of three hours.",
		query: []string{paramWindow}, errors: notFound, endpoint: withoutBody((*call).getWebhookStats),
	},
	{
		method: http.MethodPost, path: "/api-keys", operation: "createKey", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary: "Make an API key",
		description: "The key is shown in this answer only: a hash of it is kept. It is for the account of the key that makes it, or for any where " +
			"that is for every account, and it ends with the one that made it.",
		status: http.StatusCreated, location: "the key", endpoint: withBody(maxConfigBody, (*call).createKey),
		errors: []sender.Code{sender.CodeLimitReached, sender.CodeConflict},
	},
	{
		method: http.MethodGet, path: "/api-keys", operation: "listKeys", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary:     "List the API keys that were made, oldest first",
		description: "Those of the account; without one, with a key of every account, all. Never the keys themselves.",
		query:       []string{paramLimit, paramCursor}, endpoint: withoutBody((*call).listKeys),
	},
	{
		method: http.MethodDelete, path: "/api-keys/{id}", operation: "deleteKey", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary: "End an API key", description: "And all that it made. It is refused everywhere within a second.",
		errors: notFound, endpoint: withoutBody((*call).deleteKey),
	},
	{
		method: http.MethodPost, path: "/portal-links", operation: "createPortalLink", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary:     "Make a link to the portal",
		description: "For an account, or for one webhook of it, for 24 hours unless said. Its token is a key for the role portal, and ends like any key.",
		status:      http.StatusCreated, errors: []sender.Code{sender.CodeLimitReached, sender.CodeConflict}, endpoint: withBody(maxConfigBody, (*call).createPortalLink),
	},
	{
		method: http.MethodGet, path: "/account", operation: "getAccount", tag: tagAccounts, access: accessRead,
		summary: "Get the account", endpoint: withoutBody((*call).getAccount),
	},
	{
		method: http.MethodPut, path: "/account", operation: "updateAccount", tag: tagAccounts, access: accessAll,
		summary: "Change the account",
		description: "Changes only the fields given. It says where its owner is told of failed webhooks: an address gets mail only once its owner " +
			"confirmed it; what goes to `notifyUrl` is signed with `notifySecret`, and without one a secret is made and shown in this answer only.",
		errors: []sender.Code{sender.CodeUnsafeURL, sender.CodeConflict}, endpoint: withBody(maxConfigBody, (*call).updateAccount),
	},
	{
		method: http.MethodPost, path: "/account/confirm", operation: "confirmEmail", tag: tagAccounts, access: accessOpen,
		summary: "Confirm an address of an account's owner",
		description: "Does what the link in a mail is for, by the token that it ends with: the one in the first mail confirms the address, the one in " +
			"each later mail takes it out. Takes no key.",
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict}, endpoint: withBody(maxConfirmBody, (*call).confirmEmail),
	},
	{
		method: http.MethodGet, path: "/accounts", operation: "listAccounts", tag: tagAccounts, access: accessOperator, accountless: true,
		summary: "List the accounts, by name", description: "Those that have stored anything. By a key of every account.",
		query: []string{paramLimit, paramCursor}, endpoint: withoutBody((*call).listAccounts),
	},
	{
		method: http.MethodDelete, path: "/accounts/{account}", operation: "deleteAccount", tag: tagAccounts, access: accessOperator, accountless: true,
		summary: "Delete an account",
		description: "Ends everything that it has: webhooks, deliveries, events and their data, keys, replays, figures, and what its owner set. From the beginning of that " +
			"on it takes nothing (a conflict), afterwards its name may be used afresh. By a key of every account.",
		errors: notFound, endpoint: withoutBody((*call).deleteAccount),
	},
	{
		method: http.MethodGet, path: "/openapi.json", operation: "getOpenAPI", tag: tagMeta, access: accessOpen, scope: scopeFree, accountless: true,
		summary: "Get this document", endpoint: endpoint{serve: (*call).document},
	},
}
