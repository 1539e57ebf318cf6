"""The events' payloads, for type checkers: comparing ``event['event']`` narrows the type of ``event['data']``."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class VideoUploadedData(TypedDict):
    videoId: str
    title: str
    size: int  # bytes
    duration: float  # seconds
    format: str
    userId: str
    status: str


class VideoFormat(TypedDict):
    quality: str
    url: str
    size: int  # bytes


class VideoProcessedData(TypedDict):
    videoId: str
    status: str
    formats: List[VideoFormat]
    thumbnailUrl: str
    processingTime: float  # seconds


class UserRegisteredData(TypedDict):
    userId: str
    email: str
    username: str
    firstName: str
    lastName: str
    registrationMethod: str


class CommentCreatedData(TypedDict):
    commentId: str
    videoId: str
    userId: str
    content: str
    parentId: Optional[str]  # the comment that this one answers
    createdAt: str


class NoticeData(TypedDict, total=False):
    """Of another webhook of the account; with another ``kind``, or none, any other notice."""

    kind: str  # webhook_failed or webhook_disabled (system.error), webhook_recovered (system.warning)
    webhookId: str
    url: str
    eventId: str
    deliveryId: str
    attempts: int
    lastStatusCode: int  # 0 where there was no answer
    lastError: str
    failedSince: str
    failedDeliveries: int
    replay: str  # how to send again what failed


class _Event(TypedDict):
    id: str  # the same on every attempt: handle each once
    timestamp: str


class VideoUploaded(_Event):
    event: Literal['video.uploaded']
    data: VideoUploadedData


class VideoProcessed(_Event):
    event: Literal['video.processed']
    data: VideoProcessedData


class UserRegistered(_Event):
    event: Literal['user.registered']
    data: UserRegisteredData


class CommentCreated(_Event):
    event: Literal['comment.created']
    data: CommentCreatedData


class Notice(_Event):
    event: Literal['system.error', 'system.warning']
    data: NoticeData


class OtherEvent(_Event):
    """Those whose payload is not documented."""

    event: Literal[
        'video.published',
        'video.updated',
        'video.deleted',
        'user.created',
        'user.updated',
        'user.deleted',
        'engagement.view',
        'engagement.like',
        'engagement.comment',
        'webhook.test',
    ]
    data: Dict[str, Any]


#: A verified event: the delivered body, and its ID.
WebhookEvent = Union[VideoUploaded, VideoProcessed, UserRegistered, CommentCreated, Notice, OtherEvent]
