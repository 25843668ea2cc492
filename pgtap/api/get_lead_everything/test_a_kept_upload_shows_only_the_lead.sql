begin;
select plan(1);

select act_as('alice', 'admin');
select api.store_leads(
  '[{"email": "ada@example.com"}, {"email": "bea@example.com"}]', 'application/json', idempotency_key => 'key'
);
select is(
  (api.get_lead_everything(lead('bea@example.com'))).body::json #>> '{kept_answers,0,body}',
  format('{"results" : [{"row":2,"status":"created","id":"%s","errors":[]}]}', lead('bea@example.com')),
  'the result of the lead'
);

select * from finish();
rollback;
