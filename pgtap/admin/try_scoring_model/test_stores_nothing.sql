begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select act_as('operator');
select is((admin.try_scoring_model(organization('alice'), lead('ada@example.com'))).lead_score, 55, 'the score');
select throws_ok(
  $$select admin.try_scoring_model(organization('bob'), lead('ada@example.com'))$$, 'PT404', 'lead_not_found',
  'the lead is another organization''s'
);
select act_as('dba');
select is((select count(*) from scoring.score), 0::bigint, 'the history is empty');

select * from finish();
rollback;
