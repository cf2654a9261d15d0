"""Providers over HTTP: one client for all, and one file of wire mapping a vendor.

wire.py        what a vendor's file must say: how to ask, and what the answers mean
runway.py …    the vendors
transports.py  what wraps every call: recording, retries, circuit breaker, key
pace.py        … the rate limits of a provider and of its models
rooms.py       … and the connections
client.py      submit → wait → fetch, cancel, and finding out what became of a lost submit
webhooks.py    a bell that shortens the waiting
fetch.py       downloads that trust nothing
files.py       what is sent and what comes back
remote.py      the backend: a stage's request in, its result out, a row of the journal in between
"""
