"""Subscribes with the published Python SDK and tells what it hears, a JSON object a line.

    client.py PORT CHANNEL...
"""

import asyncio
import json
import sys

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler


def tell(**what):
    print(json.dumps(what), flush=True)


class Connection(ClientEventHandler):
    async def on_connecting(self, ctx):
        if ctx.code >= 3000:
            tell(closed=ctx.code)

    async def on_disconnected(self, ctx):
        tell(closed=ctx.code)


class Subscription(SubscriptionEventHandler):
    def __init__(self, channel):
        self.channel = channel

    async def on_subscribed(self, ctx):
        if not ctx.recovered:
            position = ctx.stream_position
            tell(channel=self.channel, told={"epoch": position.epoch, "offset": position.offset})

    async def on_publication(self, ctx):
        tell(channel=self.channel, offset=ctx.pub.offset, data=ctx.pub.data)

    async def on_unsubscribed(self, ctx):
        tell(unsubscribed=ctx.code)


async def stay(port, channels):
    """A connection with a subscription to each of these channels."""
    address = f"ws://127.0.0.1:{port}/connection/websocket"
    client = Client(address, events=Connection(), min_reconnect_delay=0.05, max_reconnect_delay=0.5, proxy=None)
    for channel in channels:
        subscription = client.new_subscription(
            channel, events=Subscription(channel), positioned=True, recoverable=True,
            min_resubscribe_delay=0.05, max_resubscribe_delay=0.5,
        )
        await subscription.subscribe()
    await client.connect()
    await asyncio.Event().wait()


async def main():
    port, *channels = sys.argv[1:]
    # Two connections, so that every gateway may have one.
    await asyncio.gather(stay(port, channels[::2]), stay(port, channels[1::2]))


asyncio.run(main())
