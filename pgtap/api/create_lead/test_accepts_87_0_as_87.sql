begin;
select plan(2);

select act_as('alice');
select is(
  (api.create_lead('{"email": "ada@example.com", "lead_score": 87.0}')).body::json ->> 'lead_score', '87',
  'with a decimal point'
);
select is(
  (api.create_lead('{"email": "ada@example.com", "lead_score": 8.7e1}')).body::json ->> 'lead_score', '87',
  'with an exponent'
);

select * from finish();
rollback;
