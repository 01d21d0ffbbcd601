"""help.*: where the data centres are."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service

_HOUR = 3600


def _get_config(call: Call) -> Any:
    now = call.world.seconds(None)
    cluster = call.cluster
    return types.Config(
        date=now,
        expires=now + _HOUR,
        test_mode=False,
        this_dc=call.dc,
        dc_options=[types.DcOption(dc, cluster.host, cluster.port(dc), static=True) for dc in cluster.dc_ids],
        dc_txt_domain_name="example.invalid",
        chat_size_max=200,
        megagroup_size_max=200_000,
        forwarded_count_max=100,
        online_update_period_ms=120_000,
        offline_blur_timeout_ms=5_000,
        offline_idle_timeout_ms=30_000,
        online_cloud_timeout_ms=300_000,
        notify_cloud_delay_ms=30_000,
        notify_default_delay_ms=1_500,
        push_chat_period_ms=60_000,
        push_chat_limit=2,
        edit_time_limit=172_800,
        revoke_time_limit=2_147_483_647,
        revoke_pm_time_limit=2_147_483_647,
        rating_e_decay=2_419_200,
        stickers_recent_limit=200,
        channels_read_media_period=604_800,
        call_receive_timeout_ms=20_000,
        call_ring_timeout_ms=90_000,
        call_connect_timeout_ms=30_000,
        call_packet_timeout_ms=10_000,
        me_url_prefix="https://example.invalid/",
        caption_length_max=1024,
        message_length_max=4096,
        webfile_dc_id=1,
    )


def _get_nearest_dc(call: Call) -> Any:
    return types.NearestDc("KR", call.dc, call.dc)


def _get_app_config(call: Call) -> Any:
    return types.help.AppConfig(0, types.JsonObject([]))


_HANDLERS = {
    functions.help.GetConfigRequest: _get_config,
    functions.help.GetNearestDcRequest: _get_nearest_dc,
    functions.help.GetAppConfigRequest: _get_app_config,
}
SERVICE = Service(_HANDLERS, open=frozenset(_HANDLERS))
