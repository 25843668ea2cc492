begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "lead_score": 87, "pipeline_stage": "qualified"}');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "won", "lead_score": 92}'));

select act_as('dba');
insert into app.lead (organization_id, email, lead_score, pipeline_stage)
values (organization('bob'), 'ada@example.com', 87, 'qualified');
update app.lead set pipeline_stage = 'won', lead_score = 92 where organization_id = organization('bob');

create view test.change as
select e.organization_id, e.id, e.action, e.payload::jsonb -> 'diff' as diff
from audit.event as e
where e.lead_id is not null;
select results_eq(
  $$
    select c.action, c.diff
    from test.change as c
    where c.organization_id = organization('alice')
    order by c.id
  $$,
  $$
    select c.action, c.diff
    from test.change as c
    where c.organization_id = organization('bob')
    order by c.id
  $$,
  'the same action and diff, for the creation and for the change'
);

create view test.actor as
select
  e.organization_id, e.source, e.correlation_id, array(select json_object_keys(e.payload)) as keys,
  e.payload ->> 'key_id' as key_id, e.payload ->> 'role' as role
from audit.event as e
where e.lead_id is not null;
select results_eq(
  $$
    select distinct a.source, a.correlation_id, a.keys, a.key_id, a.role
    from test.actor as a
    where a.organization_id = organization('alice')
  $$,
  $$values ('api', 'a-request', array['lead_id', 'diff', 'key_id'], key_id('alice')::text, null)$$,
  'a change over the API has the key and the request'
);
select results_eq(
  $$
    select distinct a.source, a.correlation_id, a.keys, a.key_id, a.role
    from test.actor as a
    where a.organization_id = organization('bob')
  $$,
  $$values ('sql', null, array['lead_id', 'diff', 'key_id', 'role'], null, session_user::text collate "default")$$,
  'a change in SQL has the login and no key'
);

select * from finish();
rollback;
