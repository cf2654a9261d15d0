"""Providers over HTTP: one client for all, and one file of wire mapping a vendor.

wire.py        what a vendor's file must say: how to ask, and what the answers mean
runway.py …    the vendors
transports.py  what wraps every call: recording, retries, circuit breaker, rate limit, key
client.py      submit → wait → fetch, cancel, and finding out what became of a lost submit
fetch.py       downloads that trust nothing
remote.py      the backend: a stage's request in, its result out, a row of the journal in between
"""
