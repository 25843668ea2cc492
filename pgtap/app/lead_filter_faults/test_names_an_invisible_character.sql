begin;
select plan(3);

select is(
  app.lead_filter_faults(organization('alice'), c.stages, c.sources, c.emails) -> 0 ->> 'detail' like '%U+200B.', true,
  c.why
)
from (values
  (array[U&'won\200B'], null::text[], null::text[], 'a stage'),
  (null, array[U&'google_ads\200B'], null, 'a source'),
  (null, null, array[U&'a\200B@example.com'], 'an address')
) as c (stages, sources, emails, why);

select * from finish();
rollback;
