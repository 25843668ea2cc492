-- api.guide - the text in front of the reference.
set local role leads_owner;

delete from api.guide;

insert into api.guide (position, title, body)
values
  (1, 'Keys',
$$Send a key with each request: `Authorization: Bearer lk_live_…`. A key belongs to one organization, and nothing of another can be
reached with it: somebody else's record is answered like one that never was, 404.

Its scope is `read`; `write`, which holds `read`; or `admin`, which holds `write`. A key is shown once, when it is made. Keep it on a
server, never in a page. `lk_test_…` is a test organization's: its pushes are simulated, and nothing goes out.

```sh
API=https://leads.example.com/api/v1  # this server's address
curl -H "Authorization: Bearer $KEY" "$API/health"
```$$),
  (2, 'Errors',
$$Errors are `application/problem+json` (RFC 9457). `code` is a stable word: switch on it. `detail` says what to do next. `errors` lists
everything that is wrong with the request, by field. `request_id` is the `X-Request-Id` that you sent, or one that was made. It is in the
server's log and in the audit log: quote it when you ask.

What is checked first: the path (404), the method (405), the key (401), its scope (403), the body's size (413), its type (415), the form
(400), `Idempotency-Key`, the fields (422), the record (404), `If-Match` (412).

After a 5xx a GET may be sent again, and so may a POST with its `Idempotency-Key`. Else look first whether the change was made, where `code`
is `outcome_unknown`. A 503 has `Retry-After`.$$),
  (3, 'Paging',
$$Lists are newest first. `limit` is 1 to 200, 50 when left out. Pass `next_cursor` on as `cursor` until it is null, or follow `Link`.
A walk gives every row that stood when it began exactly once, whatever comes in meanwhile.

Rows commit out of the order of `created_at`. Who polls with `start_at` overlaps by some minutes, and drops repeats by `id`. To follow
changes, poll the audit log.$$),
  (4, 'Idempotency',
$$A POST with an `Idempotency-Key` (1 to 255 printable characters: a form's id, say) can be repeated: for 24 hours the same key and request
give the first answer again, with `Idempotency-Replayed: true`. Another request under the key is 422. A repeat while the first runs
waits up to 5 seconds, then 409. Only what succeeded is kept.$$),
  (5, 'Concurrency',
$$`ETag` comes with a lead. Send it back as `If-Match` with a PATCH: the change is made only while nobody else has changed the lead, else 412. As
`If-None-Match` with a GET it gives 304 while nothing has changed.$$);
