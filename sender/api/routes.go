package api

import (
	"net/http"
	"reflect"

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

// bodyErrors are what every route of a method with a body can give, also one that takes none and refuses what is sent.
var bodyErrors = []sender.Code{sender.CodeInvalidJSON, sender.CodePayloadTooLarge, sender.CodeUnsupportedMedia}

var notFound = []sender.Code{sender.CodeNotFound}

// routes is the whole API, in the order in which the OpenAPI document lists it.
var routes = []route{
	{
		method: http.MethodPost, path: "/webhooks", operation: "createWebhook", tag: tagWebhooks, access: accessManage,
		summary: "Register a webhook",
		description: "Without a secret one is made and shown in this answer only; a secret is never shown again. The same " +
			"Idempotency-Key again within 72 hours answers the webhook of the first request, without its secret; with another body it is a conflict.",
		idempotent: "Answers a repetition with the first webhook.",
		request:    reflect.TypeFor[newWebhook](), status: http.StatusCreated, answer: reflect.TypeFor[createdWebhook](),
		location: "the webhook",
		errors:   []sender.Code{sender.CodeUnknownEventType, sender.CodeUnsafeURL, sender.CodeLimitReached, sender.CodeConflict},
		serve:    reads(maxConfigBody, (*call).createWebhook),
	},
	{
		method: http.MethodGet, path: "/webhooks", operation: "listWebhooks", scope: scopeFree, tag: tagWebhooks, access: accessRead,
		summary: "List the webhooks, oldest first",
		query:   []string{paramLimit, paramCursor}, status: http.StatusOK, answer: reflect.TypeFor[webhookPage](),
		serve: (*call).listWebhooks,
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}", operation: "getWebhook", scope: scopeWebhook, tag: tagWebhooks, access: accessRead,
		summary: "Get a webhook",
		status:  http.StatusOK, answer: reflect.TypeFor[webhook](), errors: notFound,
		serve: (*call).getWebhook,
	},
	updateRoute(http.MethodPut, "updateWebhook"),
	updateRoute(http.MethodPatch, "patchWebhook"),
	{
		method: http.MethodDelete, path: "/webhooks/{id}", operation: "deleteWebhook", scope: scopeWebhook, tag: tagWebhooks, access: accessManage,
		summary:     "Delete a webhook",
		description: "Its waiting deliveries are cancelled.",
		status:      http.StatusOK, answer: reflect.TypeFor[deletedWebhook](), errors: notFound,
		serve: (*call).deleteWebhook,
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/test", operation: "testWebhook", scope: scopeWebhook, tag: tagWebhooks, access: accessManage,
		summary:     "Send a test event",
		description: "Publishes one webhook.test event, or the example of a type, to this webhook only. The body may be left out.",
		request:     reflect.TypeFor[newTest](), optional: true,
		status: http.StatusAccepted, answer: reflect.TypeFor[published](),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeInvalidData},
		serve:  (*call).testWebhook,
	},
	{
		method: http.MethodPost, path: "/webhooks/filter-test", operation: "testFilter", scope: scopeFree, tag: tagWebhooks, access: accessManage, accountless: true,
		summary:        "Try out a filter",
		description:    "Says whether an event with these data would go to a webhook with this filter. Nothing is stored or sent.",
		changesNothing: true,
		request:        reflect.TypeFor[filterTest](), status: http.StatusOK, answer: reflect.TypeFor[filterTested](),
		errors: []sender.Code{sender.CodeUnknownEventType},
		serve:  reads(maxFilterTest, (*call).testFilter),
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}/deliveries", operation: "listDeliveries", scope: scopeWebhook, tag: tagDeliveries, access: accessRead,
		summary:     "List a webhook's deliveries, newest first",
		description: "Only a missing nextCursor ends the list: a page may be short, even empty, where a filter leaves much out.",
		query:       []string{paramState, paramEvent, paramSince, paramUntil, paramLimit, paramCursor},
		status:      http.StatusOK, answer: reflect.TypeFor[deliveryPage](), errors: notFound,
		serve: (*call).listDeliveries,
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/replay", operation: "startReplay", scope: scopeWebhook, tag: tagReplays, access: accessManage,
		summary: "Send past deliveries again",
		description: "Starts a durable job that sends at most 100 deliveries a second. A dry run only counts. " +
			"`unavailable` counts the deliveries whose payload has expired.",
		request: reflect.TypeFor[newReplay](), status: http.StatusAccepted, answer: reflect.TypeFor[replay](),
		location: "the job, unless it is a dry run",
		errors:   []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeLimitReached},
		serve:    reads(maxConfigBody, (*call).startReplay),
	},
	{
		method: http.MethodPost, path: "/webhooks/{id}/retry", operation: "retryWebhook", scope: scopeWebhook, tag: tagReplays, access: accessManage,
		summary:     "Send the failed deliveries again",
		description: "Starts a replay of all that failed, or of those of one type or time.",
		request:     reflect.TypeFor[newRetry](), status: http.StatusAccepted, answer: reflect.TypeFor[replay](),
		location: "the job",
		errors:   []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeLimitReached},
		serve:    reads(maxConfigBody, (*call).retryWebhook),
	},
	{
		method: http.MethodGet, path: "/replays", operation: "listReplays", scope: scopeFree, tag: tagReplays, access: accessRead,
		summary: "List the replays, newest first",
		query:   []string{paramLimit, paramCursor}, status: http.StatusOK, answer: reflect.TypeFor[replayPage](),
		serve: (*call).listReplays,
	},
	{
		method: http.MethodDelete, path: "/replays/{id}", operation: "cancelReplay", scope: scopeFree, tag: tagReplays, access: accessManage,
		summary: "Cancel the rest of a replay",
		status:  http.StatusOK, answer: reflect.TypeFor[replay](), errors: notFound,
		serve: (*call).cancelReplay,
	},
	{
		method: http.MethodGet, path: "/replays/{id}", operation: "getReplay", scope: scopeFree, tag: tagReplays, access: accessRead,
		summary: "Get a replay's progress",
		status:  http.StatusOK, answer: reflect.TypeFor[replay](), errors: notFound,
		serve: (*call).getReplay,
	},
	{
		method: http.MethodPost, path: "/events", operation: "publishEvent", tag: tagEvents, access: accessPublish,
		summary: "Publish an event",
		description: "Answered only once the event is stored. The same ID again within 72 hours, with the same event, data and " +
			"(if given) timestamp, gets the first answer and `duplicate: true`; with others it is a conflict.",
		idempotent: "The event's ID where the body has none.", request: reflect.TypeFor[newEvent](), status: http.StatusAccepted, answer: reflect.TypeFor[published](),
		errors: []sender.Code{sender.CodeUnknownEventType, sender.CodeInvalidData, sender.CodeConflict, sender.CodeLimitReached, sender.CodeLoop},
		serve:  (*call).publish,
	},
	{
		method: http.MethodPost, path: "/events/batch", operation: "publishBatch", tag: tagEvents, access: accessPublish,
		summary: "Publish up to 1,000 events",
		description: "`items` are in the order of `events`: each the event's answer, or what is wrong with it. " +
			"An Idempotency-Key has no meaning here; give each event its own `id`.",
		request: reflect.TypeFor[eventBatch](), status: http.StatusAccepted, answer: reflect.TypeFor[publishedBatch](),
		errors: []sender.Code{sender.CodeLoop},
		serve:  (*call).publishBatch,
	},
	{
		method: http.MethodGet, path: "/events", operation: "listEvents", tag: tagEvents, access: accessRead,
		summary: "List events, newest first",
		description: "Without their payloads, and with how many of their deliveries are in which state; for 72 hours at least. " +
			"A page for one type may be short, even empty: only a missing `nextCursor` ends the list.",
		query:  []string{paramEvent, paramSince, paramUntil, paramLimit, paramCursor},
		status: http.StatusOK, answer: reflect.TypeFor[eventPage](),
		serve: (*call).listEvents,
	},
	{
		method: http.MethodGet, path: "/events/{id}", operation: "getEvent", scope: scopeFree, tag: tagEvents, access: accessAny,
		summary: "Get an event and its deliveries",
		status:  http.StatusOK, answer: reflect.TypeFor[event](), errors: notFound,
		serve: (*call).getEvent,
	},
	{
		method: http.MethodDelete, path: "/events/{id}", operation: "deleteEvent", tag: tagEvents, access: accessExpunge,
		summary: "Delete an event",
		description: "Its data and all kept answers to it are gone at once, and its waiting deliveries are cancelled. Its ID stays known for 72 hours: " +
			"publishing it again is a conflict.",
		status: http.StatusOK, answer: reflect.TypeFor[deletedEvent](), errors: notFound,
		serve: (*call).deleteEvent,
	},
	{
		method: http.MethodGet, path: "/event-types", operation: "listEventTypes", scope: scopeFree, tag: tagEvents, access: accessAny, accountless: true,
		summary: "List the event types",
		status:  http.StatusOK, answer: reflect.TypeFor[eventTypes](),
		serve: (*call).listEventTypes,
	},
	{
		method: http.MethodGet, path: "/deliveries", operation: "listAccountDeliveries", scope: scopeFree, tag: tagDeliveries, access: accessRead,
		summary:     "List the deliveries of an account, newest first",
		description: "Only a missing nextCursor ends the list: a page may be short, even empty, where a filter leaves much out.",
		query:       []string{paramState, paramEvent, paramEventID, paramWebhookID, paramSince, paramUntil, paramLimit, paramCursor},
		status:      http.StatusOK, answer: reflect.TypeFor[deliveryPage](),
		serve: (*call).listAccountDeliveries,
	},
	{
		method: http.MethodPut, path: "/event-types/{name}", operation: "putEventType", tag: tagEvents, access: accessOperator, accountless: true,
		summary: "Make or change an event type",
		description: "Changes only the fields given; null takes one away. From then on data of the type must fit its schema, in every process within a second. " +
			"By a key of every account.",
		request: reflect.TypeFor[eventTypeUpdate](), status: http.StatusOK, answer: reflect.TypeFor[eventType](),
		errors: []sender.Code{sender.CodeConflict, sender.CodeLimitReached},
		serve:  reads(maxConfigBody, (*call).putEventType),
	},
	{
		method: http.MethodDelete, path: "/event-types/{name}", operation: "deleteEventType", tag: tagEvents, access: accessOperator, accountless: true,
		summary: "Delete an event type", description: "Those of the configuration can't be deleted. By a key of every account.",
		status: http.StatusOK, answer: reflect.TypeFor[deletedEventType](), errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict},
		serve: (*call).deleteEventType,
	},
	{
		method: http.MethodGet, path: "/deliveries/{id}", operation: "getDelivery", scope: scopeDelivery, tag: tagDeliveries, access: accessRead,
		summary: "Get a delivery and its attempts",
		status:  http.StatusOK, answer: reflect.TypeFor[delivery](), errors: notFound,
		serve: (*call).getDelivery,
	},
	{
		method: http.MethodPost, path: "/deliveries/{id}/retry", operation: "retryDelivery", scope: scopeDelivery, tag: tagDeliveries, access: accessManage,
		summary:     "Send a delivery again",
		description: "It is due now, with a fresh retry table. A conflict where its payload has expired.",
		status:      http.StatusAccepted, answer: reflect.TypeFor[delivery](),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict},
		serve:  (*call).retryDelivery,
	},
	{
		method: http.MethodGet, path: "/stats", operation: "getStats", scope: scopeFree, tag: tagStats, access: accessRead, accountless: true,
		summary: "Get attempts by outcome over time",
		description: "60 buckets of a minute, 48 of half an hour, or 56 of three hours. Of the account; with a key of every account that names none, of all. " +
			"With a token for one webhook, of that.",
		query: []string{paramWindow}, status: http.StatusOK, answer: reflect.TypeFor[stats](),
		serve: (*call).getStats,
	},
	{
		method: http.MethodGet, path: "/webhooks/{id}/stats", operation: "getWebhookStats", scope: scopeWebhook, tag: tagStats, access: accessRead,
		summary:     "Get a webhook's attempts by outcome over time",
		description: "60 buckets of a minute, 48 of half an hour, or 56 of three hours.",
		query:       []string{paramWindow}, status: http.StatusOK, answer: reflect.TypeFor[stats](), errors: notFound,
		serve: (*call).getWebhookStats,
	},
	{
		method: http.MethodPost, path: "/api-keys", operation: "createKey", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary: "Make an API key",
		description: "The key is shown in this answer only: a hash of it is kept. It is for the account of the key that makes it, or for any where " +
			"that is for every account, and it ends with the one that made it.",
		request: reflect.TypeFor[newKey](), status: http.StatusCreated, answer: reflect.TypeFor[createdKey](),
		location: "the key",
		errors:   []sender.Code{sender.CodeLimitReached, sender.CodeConflict},
		serve:    reads(maxConfigBody, (*call).createKey),
	},
	{
		method: http.MethodGet, path: "/api-keys", operation: "listKeys", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary:     "List the API keys that were made, oldest first",
		description: "Those of the account; without one, with a key of every account, all. Never the keys themselves.",
		query:       []string{paramLimit, paramCursor}, status: http.StatusOK, answer: reflect.TypeFor[keyPage](),
		serve: (*call).listKeys,
	},
	{
		method: http.MethodDelete, path: "/api-keys/{id}", operation: "deleteKey", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary: "End an API key", description: "And all that it made. It is refused everywhere within a second.",
		status: http.StatusOK, answer: reflect.TypeFor[deletedKey](), errors: notFound,
		serve: (*call).deleteKey,
	},
	{
		method: http.MethodPost, path: "/portal-links", operation: "createPortalLink", tag: tagKeys, access: accessAll, accountless: true, keyed: true,
		summary:     "Make a link to the portal",
		description: "For an account, or for one webhook of it, for 24 hours unless said. Its token is a key for the role portal, and ends like any key.",
		request:     reflect.TypeFor[newPortalLink](), status: http.StatusCreated, answer: reflect.TypeFor[portalLink](),
		errors: []sender.Code{sender.CodeLimitReached, sender.CodeConflict},
		serve:  reads(maxConfigBody, (*call).createPortalLink),
	},
	{
		method: http.MethodGet, path: "/account", operation: "getAccount", tag: tagAccounts, access: accessRead,
		summary: "Get the account",
		status:  http.StatusOK, answer: reflect.TypeFor[account](),
		serve: (*call).getAccount,
	},
	{
		method: http.MethodPut, path: "/account", operation: "updateAccount", tag: tagAccounts, access: accessAll,
		summary: "Change the account",
		description: "Changes only the fields given. It says where its owner is told of failed webhooks: an address gets mail only once its owner " +
			"confirmed it; what goes to `notifyUrl` is signed with `notifySecret`, and without one a secret is made and shown in this answer only.",
		request: reflect.TypeFor[accountUpdate](), status: http.StatusOK, answer: reflect.TypeFor[changedAccount](),
		errors: []sender.Code{sender.CodeUnsafeURL, sender.CodeConflict},
		serve:  reads(maxConfigBody, (*call).updateAccount),
	},
	{
		method: http.MethodPost, path: "/account/confirm", operation: "confirmEmail", tag: tagAccounts, access: accessOpen,
		summary: "Confirm an address of an account's owner",
		description: "Does what the link in a mail is for, by the token that it ends with: the one in the first mail confirms the address, the one in " +
			"each later mail takes it out. Takes no key.",
		request: reflect.TypeFor[confirmationToken](), status: http.StatusOK, answer: reflect.TypeFor[sender.Confirmation](),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict},
		serve:  reads(maxConfirmBody, (*call).confirmEmail),
	},
	{
		method: http.MethodGet, path: "/accounts", operation: "listAccounts", tag: tagAccounts, access: accessOperator, accountless: true,
		summary: "List the accounts, by name", description: "Those that have stored anything. By a key of every account.",
		query: []string{paramLimit, paramCursor}, status: http.StatusOK, answer: reflect.TypeFor[accountPage](),
		serve: (*call).listAccounts,
	},
	{
		method: http.MethodDelete, path: "/accounts/{account}", operation: "deleteAccount", tag: tagAccounts, access: accessOperator, accountless: true,
		summary: "Delete an account",
		description: "Ends everything that it has: webhooks, deliveries, events and their data, keys, replays, figures, and what its owner set. From the beginning of that " +
			"on it takes nothing (a conflict), afterwards its name may be used afresh. By a key of every account.",
		status: http.StatusOK, answer: reflect.TypeFor[deletedAccount](), errors: notFound,
		serve: (*call).deleteAccount,
	},
	{
		method: http.MethodGet, path: "/openapi.json", operation: "getOpenAPI", scope: scopeFree, tag: tagMeta, access: accessOpen, accountless: true,
		summary: "Get this document",
		status:  http.StatusOK,
		serve:   (*call).document,
	},
}
