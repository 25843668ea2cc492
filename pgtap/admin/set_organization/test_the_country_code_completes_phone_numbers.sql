begin;
select plan(8);

create function test.found(phone text)
returns integer language sql
as $$ select json_array_length((api.list_leads(phone => found.phone)).body::json -> 'data') $$;

select act_as('alice');
select made_lead('{"email": "old@example.com", "phone": "030 901820"}');
select act_as('operator');
select admin.set_organization(organization('alice'), country_code => '49');
select act_as('alice');
select made_lead('{"email": "new@example.com", "phone": "(030) 90 18 20"}');
select is(found('030 901820'), 1, 'a new lead');
select act_as('operator');
select is(
  (admin.fill_phone_keys(organization('alice'), null, 100)).leads, 2, 'the keys of all leads are computed again'
);
select act_as('alice');
select is(found('030 901820'), 2, 'both leads have the national number');
select is(found('+49 30 901820'), 2, 'and the international one');
select is(found(' 4930901820'), 2, 'a plus sign arrives as a space');
select is(found('030 901821'), 0, 'another number');
select act_as('operator');
select throws_ok(
  $$select admin.set_organization(organization('alice'), country_code => '+49')$$, 'PT422', 'invalid_country_code', 'digits only'
);
select admin.set_organization(organization('alice'), country_code => '');
select is((admin.organization(organization('alice'))).country_code, null, 'an empty text removes it');

select * from finish();
rollback;
