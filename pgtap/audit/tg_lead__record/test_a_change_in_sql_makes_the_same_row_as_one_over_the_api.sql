begin;
select plan(5);

create function test.without_the_actor(event audit.event)
returns jsonb
language sql
as $$
  select
    to_jsonb(event) - '{id,lead_id,salt,payload_digest,source,action_and_source,correlation_id,payload}'::text[]
    || jsonb_build_object('diff', event.payload -> 'diff', 'keys', array(select json_object_keys(event.payload)))
$$;

select act_as('alice');
select made_lead('{"email": "ada@example.com", "lead_score": 87, "pipeline_stage": "qualified"}');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "won", "lead_score": 92}'));

select act_as('dba');
insert into app.lead (organization_id, email, lead_score, pipeline_stage)
values (organization('alice'), 'eve@example.com', 87, 'qualified');
update app.lead set email = 'ada@example.net' where email = 'ada@example.com';
update app.lead set email = 'ada@example.com' where email = 'eve@example.com';
update app.lead set pipeline_stage = 'won', lead_score = 92 where email = 'ada@example.com';

create table test.pair as
select
  a.action,
  replace(without_the_actor(a)::text, '"role"', '"key_id"') as by_api,
  without_the_actor(s) as by_sql,
  a.source || ' ' || s.source as sources,
  a.payload ->> 'key_id' as key_id,
  a.payload ->> 'role' as api_role,
  s.payload ->> 'key_id' as sql_key_id,
  s.payload ->> 'role' as role,
  a.correlation_id,
  s.correlation_id as sql_correlation_id
from audit.event as a
join audit.event as s on s.action = a.action and s.lead_id = lead('ada@example.com')
where a.lead_id = lead('ada@example.net') and a.source = 'api'
  and coalesce(a.payload -> 'diff' -> 'email' ->> 'from', '') = '' and coalesce(s.payload -> 'diff' -> 'email' ->> 'from', '') = '';

select is(
  (select array_agg(p.action order by p.action) from test.pair as p), array['lead.created', 'lead.updated'], 'a creation, and a change'
);
select is_empty(
  $$
    select *
    from test.pair as p
    where
      (p.by_api::jsonb -> 'diff') - 'email' is distinct from (p.by_sql -> 'diff') - 'email'
      or p.by_api::jsonb - '{diff,keys}'::text[] is distinct from p.by_sql - '{diff,keys}'::text[]
  $$,
  'with the same diff, at the same time'
);
select is((select array_agg(distinct p.sources) from test.pair as p), array['api sql'], 'their sources differ');
select is(
  (select array_agg(distinct concat_ws(' ', p.key_id, p.api_role, p.correlation_id)) from test.pair as p),
  array[key_id('alice') || ' a-request'],
  'over the API: the key, and the request'
);
select is(
  (select array_agg(distinct concat_ws(' ', p.sql_key_id, p.role, p.sql_correlation_id)) from test.pair as p),
  array[session_user::text],
  'in SQL: the login'
);

select * from finish();
rollback;
