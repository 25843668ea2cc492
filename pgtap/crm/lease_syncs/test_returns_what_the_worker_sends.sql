begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (
  organization_id, email, name, company, source, pipeline_stage, lead_score, ai_reasoning, timeline, budget_range
)
values (acme(), 'ada@example.com', 'Ada', 'Engines', 'web', 'qualified', 91, 'Storm.', 'soon', '10-20k');
update crm.connection set settings = '{"region": "eu"}';
create table test.job as select j.* from crm.lease_syncs('{k}', 64) as j;
select is(
  (select j.contact::jsonb - 'lead' from test.job as j),
  jsonb_build_object(
    'lead_id', lead('ada@example.com'), 'sync_id', (sync('Ada')).id, 'display_name', 'Ada', 'name', 'Ada', 'company', 'Engines',
    'email', 'ada@example.com', 'source', 'web',
    'description', E'Score 91, stage qualified.\nReasons: Storm.\nTimeline: soon\nBudget: 10-20k'
  ),
  'the contact; its description has only the known fields'
);
select is((select j.settings::jsonb from test.job as j), '{"region": "eu"}', 'the adapter''s settings');
select is(
  (select array_agg(crm.contact(l, null) ->> 'display_name' order by n.display_name) from (
    values ('c@example.com', null, 'Company'), ('e@example.com', null, null), ('n@example.com', 'Name', 'Company')
  ) as n (display_name, name, company)
  cross join lateral jsonb_populate_record(
    null::app.lead_values, jsonb_build_object('email', n.display_name, 'name', n.name, 'company', n.company)
  ) as l),
  '{Company,e@example.com,Name}', 'the name, or else the company, or else the e-mail address'
);

select * from finish();
rollback;
