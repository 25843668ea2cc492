begin;
select plan(16);

select act_as('bob');
select made_lead('{"email": "bob@example.com", "reference": "erp/1"}');
select act_as('alice');
select keep('created', api.put_lead('erp%2f1', '{"email": "ada@example.com", "source": "web"}'));
select is((kept('created')).status, 201, 'created');
select is(
  (kept('created')).headers::jsonb,
  jsonb_build_object('Location', '/api/v1/leads/' || lead('ada@example.com'), 'ETag', app_etag.etag),
  'its headers'
)
from (select (api.get_lead(lead('ada@example.com'))).headers::json ->> 'ETag' as etag) as app_etag;
select is((kept('created')).body::json ->> 'email', 'ada@example.com', 'its body');
select is(
  (api.get_lead_details(lead('ada@example.com'))).body::json ->> 'reference', 'erp/1', 'its reference, with a slash'
);
select keep('changed', api.put_lead('erp%2F1', '{"name": "Ada", "reference": "erp/1"}'));
select is((kept('changed')).status, 200, 'changed');
select is((kept('changed')).headers::jsonb ? 'Location' and (kept('changed')).headers ->> 'Location' is not null, false, 'no Location');
select is((kept('changed')).body::json ->> 'source', 'web', 'a field that is left out keeps its value');
select is((api.put_lead('erp/1', '{"name": "Ada"}')).headers ->> 'ETag', (kept('changed')).headers ->> 'ETag', 'a repeat changes nothing');
select is(faults($$select api.put_lead('erp/1', '{"reference": "erp/2"}')$$), '{reference differs_from_path}', 'another reference');
select is(faults($$select api.put_lead('erp/1', '{"reference": null}')$$), '{reference differs_from_path}', 'no reference');
select is(faults($$select api.put_lead('erp/1', '{"email": null, "lead_score": 1000}')$$), '{lead_score out_of_range}', 'a fault');
select is(faults($$select api.put_lead('erp/9', '{"name": "Ada"}')$$), '{email contact_required}', 'a new lead needs contact data');
select throws_ok($$select api.put_lead('erp/9', '{"email": "x@example.com"}', '*')$$, 'PT412', 'precondition_failed', 'If-Match creates no lead');
select throws_ok($$select api.put_lead('erp/1', '{"name": "B"}', '"1.0"')$$, 'PT412', 'precondition_failed', 'If-Match with another tag');
select is((api.put_lead('erp/1', '{"name": "B"}', (kept('changed')).headers ->> 'ETag')).status, 200, 'If-Match with its tag');

select act_as('dba');
select is((select l.name from app.lead as l where l.email = 'bob@example.com'), null, 'the lead of another organization stays');

select * from finish();
rollback;
