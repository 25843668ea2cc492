begin;
select plan(3);

select is(
  audit.event_etag(sha256('a'), 'salt'), format('"%s.%s"', left(encode(sha256('a'), 'hex'), 16), api.schema_version()),
  'a strong ETag'
);
select isnt(audit.event_etag(sha256('a'), 'salt'), audit.event_etag(sha256('b'), 'salt'), 'another event has another ETag');
select isnt(audit.event_etag(sha256('a'), 'salt'), audit.event_etag(sha256('a'), null), 'the ETag is different without the salt');

select * from finish();
rollback;
