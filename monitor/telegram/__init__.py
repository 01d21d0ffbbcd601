"""All that knows Telethon: sessions, sign-in, joining, history, live updates, media bytes, TL → model."""
