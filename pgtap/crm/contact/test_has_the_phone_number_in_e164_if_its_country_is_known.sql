begin;
select plan(4);

create function test.contact()
returns jsonb language sql
as $$
  select crm.contact(row(l.*)::app.lead_values, null)::jsonb -> 'lead' from app.lead as l where l.email = 'ada@example.com'
$$;

select act_as('alice');
select made_lead('{"email": "ada@example.com", "phone": "(555) 010-0199", "reference": "r", "details": {"a": 1}}');
select act_as('dba');
select is(contact() ->> 'phone_e164', null, 'not if the country is not known');
select is(contact() - 'phone' @> '{"reference": "r", "details": {"a": 1}, "email": "ada@example.com"}', true, 'the other values');
select admin.set_organization(organization('alice'), null, '1');
update app.lead set phone = '555-010-0199';
select is(contact() ->> 'phone_e164', '+15550100199', 'E.164');
select is(contact() ->> 'phone', '555-010-0199', 'and as it was sent');

select * from finish();
rollback;
