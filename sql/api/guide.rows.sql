-- api.guide - the guide at the beginning of the reference.
set local role leads_owner;
delete from api.guide;

insert into api.guide (position, title, body)
values
  (1, 'Quickstart',
$$**1. Create an organization and a key**, on the machine of the server. The first command prints the ID of the organization,
and the second one the key, only once. In a clone, `leads` is `.venv/bin/leads`. If you don't run the server, ask its operator
for a key. `make serve` has already created a demo organization, and prints its key.

```sh
leads organizations create "Acme Restoration"
leads keys create --organization ID --scopes write
```

**2. Create a lead.** Replace the values of `API` and `KEY`. If you repeat the command, the idempotency key prevents a second
lead.

```sh
API=https://leads.example.com/api/v1
KEY=lk_live_…
curl "$API/leads" -H "Authorization: Bearer $KEY" \
  -H 'Content-Type: application/json' \
  -H 'Idempotency-Key: quickstart-1' \
  -d '{"name": "Ada Abbott", "email": "ada@example.com"}'
```

The response has the status 201, and the lead:

```json
{
  "id": "01a22a0c-…",
  "organization_id": "01a22a07-…",
  "name": "Ada Abbott",
  "company": null,
  "email": "ada@example.com",
  "source": null,
  "lead_score": 0,
  "pipeline_stage": "new",
  "industry": null,
  "company_size": null,
  "created_at": "2026-11-30T09:23:37.096Z",
  "updated_at": "2026-11-30T09:23:37.096Z"
}
```

**3. List your leads**, the newest first:

```sh
curl "$API/leads?limit=10" -H "Authorization: Bearer $KEY"
```

Each operation below has such a command, also for Python and JavaScript, and a form to try it with your key.$$),
  (2, 'Keys',
$$Send a key with each request: `Authorization: Bearer lk_live_…`. A key belongs to one organization and reaches only that
organization's records. The API answers a request for any other record with 404, as if the record did not exist.

The scope of a key is `read`, `write` or `admin`. `write` includes `read`, and `admin` includes `write`. A key is shown
once, when it is created. Keep it on a server, never in a web page. Keys that begin with `lk_test_` belong to a test
organization: its pushes to a CRM are simulated, and no data leaves the server. `GET /health` returns the organization and the
scopes of a key.$$),
  (3, 'Errors',
$$Errors are `application/problem+json` (RFC 9457). `code` is a stable word for your program. `detail` says what to do
next. `errors` lists all faults of the request, by field. `request_id` is the `X-Request-Id` that you
sent, or one that the server generated. It is also in the server's log and in the audit log. Include it when you ask for
support.

The API checks in this order: the path (404), the method (405), the key (401), the rate limit of the key (429), the
scope (403), the size of the body (413), its type (415), the form of the request (400), `Idempotency-Key`, the fields (422), the
record (404), `If-Match` (412).

After a status of 500 or more you can repeat a GET, and also a POST or PATCH that has an `Idempotency-Key`. Before you repeat any
other request that failed with the code `outcome_unknown`, check whether the change was made. A response with status 503
has `Retry-After`. With the code `moving`, your organization is being moved to another server. Nothing was done:
send the request again after the seconds in `Retry-After`.

A server can limit the rate of each key. Then each response to a valid key has `RateLimit-Policy` and `RateLimit`
(draft-ietf-httpapi-ratelimit-headers-10). `"default";q=120;w=120` means 120 requests in 120 seconds, and `"default";r=37;t=1`
means that 37 are left, and one more is available in 1 second. A request over the limit is refused with 429 (`rate_limited`),
and nothing was done. Wait for the seconds in `Retry-After`, and send it again.$$),
  (4, 'Paging',
$$Lists are sorted from newest to oldest. `limit` is a number from 1 to 200; the default is 50. To get the next page, send
`next_cursor` as `cursor`, until it is null, or follow the `Link` header. The pages contain every row that existed when
you requested the first page exactly once, even if rows are added in the meantime.

Rows do not become visible in the order of `created_at`. If you poll with `start_at`, request an overlap of some minutes
and drop duplicates by `id`. To follow the changes of leads, request `GET /leads?order=updated_at`, or create a webhook.$$),
  (5, 'Idempotency',
$$You can repeat a POST or PATCH that has an `Idempotency-Key` (1 to 255 printable characters, for example the id of a form). For
24 hours, the same key with the same request returns the first response again, with `Idempotency-Replayed: true`.
Another request with the same key returns 422. If the first request is still running, a repeat waits up to 5 seconds,
and then returns 409. Only successful responses are kept. A response that shows a secret, such as that of `POST /forms`, is
never kept: a repeat returns 409 with `secret_already_shown`, and its `detail` has the id of the existing object.$$),
  (6, 'Concurrency',
$$The response with a lead has an `ETag`. Send it as `If-Match` with a PATCH: the change is made only if the lead has not
changed since, otherwise the API returns 412. Send it as `If-None-Match` with a GET: the API returns 304 if the lead has
not changed.$$),
  (7, 'Forms',
$$A form is an address to which web pages, automation tools, Google Ads, Typeform, Calendly and others can post leads
without a key. `POST /forms` creates one, and returns its `address`, such as `/in/lf_live_…`, below the host of this
server and not below `/api/v1`. It accepts JSON, urlencoded and multipart forms. The response is
`{"status": "received"}` or a redirect. Errors are 401, 413 and 429 (`rate_limited`). A submission that can't become a lead is
kept for 30 days.

A form to copy:

```html
<form method="post" action="https://leads.example.com/in/TOKEN">
  <label>Name <input name="name" required></label>
  <label>E-mail <input name="email" type="email" required></label>
  <label>Phone <input name="phone" type="tel"></label>
  <label>Message <textarea name="message"></textarea></label>
  <!-- The honeypot: people do not see it. -->
  <input name="website" tabindex="-1" autocomplete="off" style="left: -10000px; position: absolute">
  <button>Send</button>
</form>
```

Other fields become `details` of the lead. A `mapping` assigns them to other fields.$$),
  (8, 'Webhooks',
$$A webhook is an address of yours to which the API posts the events of your organization's audit log.
`POST /webhooks` creates one, and its response shows the secret, once. A message is signed as in
[Standard Webhooks](https://www.standardwebhooks.com):

```json
{
  "type": "lead.updated",
  "timestamp": "2026-04-27T18:55:42.001Z",
  "data": {
    "id": "01a15d1e-0a5c-7c11-8a3c-5d1f1d6c2a91",
    "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91",
    "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18",
    "position": 583,
    "fields": ["pipeline_stage", "lead_score"]
  }
}
```

Check the signature with a library, which needs the body as it was received, and the headers. In Python
(`pip install standardwebhooks`):

```python
from standardwebhooks import Webhook

event = Webhook(secret).verify(body, headers)  # an exception if the signature is wrong
```

Respond with 2xx within 10 seconds. Any other result is a failure, and the message is sent again for up to 3 days. The
messages of a lead arrive in order. A message can arrive more than once: drop a repeat by its header `webhook-id`. With
`"include": "values"`, `data.payload` has the values. A test organization sends nothing: its deliveries are `simulated`.$$),
  (9, 'Traces',
$$If you send `traceparent` (W3C Trace Context) with a request, its trace id is in the server's log, and as `trace_id` in the
`payload` of the audit events of the request. An invalid `traceparent` is ignored. `Server-Timing` in the response says
how many milliseconds the database took (`db`), and how long the request waited for a connection (`wait`).$$),
  (10, 'Reads after writes',
$$A server can have replicas, which answer reads. A replica shows a change a moment after the response to that change. With
replicas, each response to a write has the header `Leads-Position`. If you send it with a read, the response is not older than
that write:

```sh
curl -si -X PATCH "$API/leads/$ID" -H "Authorization: Bearer $KEY" \
  -H 'Content-Type: application/json' -d '{"pipeline_stage": "contacted"}' | grep -i leads-position
curl "$API/leads/$ID" -H "Authorization: Bearer $KEY" -H 'Leads-Position: …'
```

If you don't know which of several writes is the newest, send up to 8 values with commas between them. The value is opaque, and
can be kept for as long as you like. A server without replicas sends no such header, and ignores it.$$),
  (100, 'Changelog',
$$The [changelog](/docs/changelog) lists what each release added, changed, deprecated and fixed.

Within `/api/v1`, changes only add: paths, optional parameters and fields of requests, headers, and `code` words for new
situations. No path, parameter or field is removed or renamed. A deprecated operation has the header `Deprecation`
(RFC 9745), and `Sunset` (RFC 8594) with the date of its end.$$);
