"""How the notices call things: categories by language and law, bases, kinds. A lawyer's page, without code."""

from collections.abc import Mapping

from monitor.model import Algorithm, Basis, Category, MediaKind

ENGLISH: Mapping[Category, str] = {
    Category.CHILD: "child sexual abuse material",
    Category.ADULT_FILMED: "intimate images of adults, recorded or shared without consent",
    Category.ADULT_SYNTHETIC: "sexual images of adults, made or altered by computer without consent",
    Category.TERRORISM: "terrorist content",
    Category.UNKNOWN: "not stated by the list",
}

KOREAN: Mapping[Category, str] = {
    Category.CHILD: "아동·청소년성착취물",
    Category.ADULT_FILMED: "불법촬영물",
    Category.ADULT_SYNTHETIC: "허위영상물",
}
"""The law's words. Korea's routes take these categories alone."""

KOREAN_LAW: Mapping[Category, str] = {
    Category.CHILD: "「아동·청소년의 성보호에 관한 법률」 제2조제5호",
    Category.ADULT_FILMED: "「성폭력범죄의 처벌 등에 관한 특례법」 제14조",
    Category.ADULT_SYNTHETIC: "「성폭력범죄의 처벌 등에 관한 특례법」 제14조의2",
}

EUROPEAN_LAW: Mapping[Category, str] = {
    Category.CHILD: "Article 5 of Directive 2011/93/EU (offences concerning child sexual abuse material)",
    Category.ADULT_FILMED: "Article 5 of Directive (EU) 2024/1385 (non-consensual sharing of intimate material)",
    Category.ADULT_SYNTHETIC: "Article 5 of Directive (EU) 2024/1385 (non-consensual sharing of manipulated"
    " material)",
    Category.TERRORISM: "Article 5 of Directive (EU) 2017/541 (public provocation to commit a terrorist offence)",
}
"""What the alleged illegality rests on; national law puts it in force, and a lawyer confirms it."""

BASIS: Mapping[Basis, str] = {
    Basis.OWNER_CONSENT: "consent of the channel's owner",
    Basis.ETHICS_APPROVAL: "approval by an ethics board",
    Basis.STATUTORY_MANDATE: "a mandate given by law",
    Basis.CONTRACT: "a contract",
}

BASIS_KOREAN: Mapping[Basis, str] = {
    Basis.OWNER_CONSENT: "채널 소유자의 동의",
    Basis.ETHICS_APPROVAL: "연구윤리심의 승인",
    Basis.STATUTORY_MANDATE: "법령상 권한",
    Basis.CONTRACT: "계약",
}

ALGORITHM: Mapping[Algorithm, str] = {
    Algorithm.MD5: "MD5",
    Algorithm.SHA1: "SHA-1",
    Algorithm.SHA256: "SHA-256",
    Algorithm.PDQ: "PDQ",
    Algorithm.PHASH: "pHash",
    Algorithm.DHASH: "dHash",
}

KIND_KOREAN: Mapping[MediaKind, str] = {
    MediaKind.PHOTO: "사진",
    MediaKind.VIDEO: "동영상",
    MediaKind.ROUND: "원형 동영상",
    MediaKind.GIF: "움직이는 이미지(GIF)",
    MediaKind.VOICE: "음성 메시지",
    MediaKind.AUDIO: "음악·음성 파일",
    MediaKind.STICKER: "스티커",
    MediaKind.DOCUMENT: "파일",
}
"""Kinds with a file; the others are told by their English word."""
