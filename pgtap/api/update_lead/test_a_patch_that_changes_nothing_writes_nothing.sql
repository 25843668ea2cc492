begin;
select plan(6);

select act_as('alice');
select made_lead('{"name": "Ada", "email": "ada@example.com", "lead_score": 5}');
select act_as('dba');
alter table app.lead disable trigger _500_stamp;
update app.lead set updated_at = '2026-01-01 00:00:00Z';
alter table app.lead enable trigger _500_stamp;

select act_as('alice');
select keep('before', api.get_lead(lead('ada@example.com')));
select keep('patch', api.update_lead(
  lead('ada@example.com'), '{"name": " Ada ", "email": "ada@example.com", "lead_score": 5.0, "company": null}'
));
select is((kept('patch')).status, 200, 'the status is 200');
select is((kept('patch')).body::json ->> 'updated_at', '2026-01-01T00:00:00.000Z', 'updated_at is unchanged');
select is((kept('patch')).headers ->> 'ETag', (kept('before')).headers ->> 'ETag', 'the ETag is unchanged');
select is((api.update_lead(lead('ada@example.com'), '{}')).status, 200, 'an empty patch');

select act_as('dba');
select is((select array_agg(l.revision) from app.lead as l), array[1], 'the row is unchanged');
select is(
  (select array_agg(e.action order by e.id) from audit.event as e where e.lead_id is not null),
  array['lead.created'],
  'the only event is the creation'
);

select * from finish();
rollback;
