begin;
select plan(4);

select act_as('alice');
select made_lead('{"name": "Ada", "company": "Acme", "email": "ada@example.com"}');
select is(
  faults($$select api.update_lead(lead('ada@example.com'), '{"email": null, "name": null}')$$),
  array['email contact_required'],
  'a company alone'
);
select is(
  (api.update_lead(lead('ada@example.com'), '{"name": null, "company": null}')).status, 200, 'an email alone is enough'
);
select is(
  faults($$select api.update_lead(lead('ada@example.com'), '{"email": null}')$$), array['email contact_required'],
  'the email is required then'
);
select is(
  (api.update_lead(lead('ada@example.com'), '{"email": null, "name": "Ada", "company": "Acme"}')).status, 200,
  'a name and a company can replace it'
);

select * from finish();
rollback;
