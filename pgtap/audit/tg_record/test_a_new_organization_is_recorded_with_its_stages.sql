begin;
select plan(4);

select act_as('operator');
select admin.create_organization('Acme', 'test')::text;
select act_as('dba');
create view test.acme as
select e.action, e.source, e.payload, e.id
from audit.event as e
join app.organization as o on o.organization_id = e.organization_id
where o.name = 'Acme';
select is(
  (select array_agg(a.action order by a.id) from test.acme as a),
  array_fill('pipeline_stage.created'::text, array[6]) || array['organization.created'],
  'seven events'
);
select is(
  (select replace(a.payload::text, ' ', '') from test.acme as a where a.action = 'organization.created'),
  format(
    '{"organization":"%s","diff":{"name":{"from":null,"to":"Acme"},"environment":{"from":null,"to":"test"},'
    '"accepts_name_and_phone":{"from":null,"to":false},"time_zone":{"from":null,"to":"UTC"}},"key_id":null,'
    '"role":"leads_operator"}',
    (select o.organization_id from app.organization as o where o.name = 'Acme')
  ),
  'the organization'
);
select is(
  (select replace(a.payload::text, ' ', '') from test.acme as a where a.payload ->> 'pipeline_stage' = 'won'),
  '{"pipeline_stage":"won","diff":{"name":{"from":null,"to":"won"},"position":{"from":null,"to":5}},'
  '"key_id":null,"role":"leads_operator"}',
  'a stage'
);
select is((select array_agg(distinct a.source) from test.acme as a), array['system'], 'by the system');

select * from finish();
rollback;
