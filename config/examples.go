package config

import "strings"

// examples are the data of the documented payloads.
var examples = map[string]string{
	"video.uploaded": `{"videoId":"vid_123456","title":"My Video","size":10485760,"duration":120,"format":"mp4",` +
		`"userId":"usr_123456","status":"processing"}`,
	"video.processed": `{"videoId":"vid_123456","status":"ready","formats":[` +
		`{"quality":"1080p","url":"https://stream.videocloud.com/v/123456/1080p","size":52428800},` +
		`{"quality":"720p","url":"https://stream.videocloud.com/v/123456/720p","size":26214400}],` +
		`"thumbnailUrl":"https://thumb.videocloud.com/v/123456","processingTime":300}`,
	"user.registered": `{"userId":"usr_123456","email":"user@example.com","username":"username",` +
		`"firstName":"John","lastName":"Doe","registrationMethod":"email"}`,
	"comment.created": `{"commentId":"com_123456","videoId":"vid_123456","userId":"usr_123456",` +
		`"content":"Great video!","parentId":null,"createdAt":"2024-03-31T12:00:00Z"}`,
}

// Example returns example data of an event type, as a JSON object: that of the type or of its group where it is documented.
func Example(event string) string {
	if data, ok := examples[event]; ok {
		return data
	}
	switch group, _, _ := strings.Cut(event, "."); group {
	case "video":
		return examples["video.uploaded"]
	case "user":
		return examples["user.registered"]
	case "comment", "engagement":
		return examples["comment.created"]
	default:
		return `{"message":"an example"}`
	}
}
