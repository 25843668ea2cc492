begin;
select plan(10);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select (api.push_lead(lead('ada@example.com'))).status::text;
select act_as('dba');
create function test.fail(code text, words text)
returns void
language plpgsql
volatile
security definer
as $$
begin
  update crm.sync set status = 'failed', error_code = fail.code, error = fail.words, run_at = null;
end
$$;
select fail('rejected', 'Phone is missing.');
select act_as('alice');
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'what the vendor refused');
select fail('gave_up', 'Bad gateway.');
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'what was given up');

select fail('outcome_unknown', null);
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'))$$, 'PT409', 'crm_outcome_unknown', 'not what nobody knows'
);
select throws_ok(
  $$select api.get_push(lead('ada@example.com'))$$, 'PT409', 'crm_outcome_unknown', 'which waiting tells too'
);
select act_as('dba');
select is((select s.status from crm.sync as s), 'failed', 'nothing is sent');
select act_as('operator');
select is(admin.retry_crm(organization('alice'), lead('ada@example.com')), 1, 'until an operator has looked');
select act_as('alice');
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'then it goes on');

select act_as('operator');
select admin.change_crm_connection(organization('alice'), 'pause');
select act_as('alice');
select is((api.push_lead(lead('ada@example.com'))).headers ->> 'Retry-After', '60', 'a paused connection makes it wait');
select act_as('dba');
select is((select s.status from crm.sync as s), 'pending', 'for as long as it takes');
update crm.sync set run_at = clock_timestamp() + interval '7 seconds';
update crm.connection set state = 'active';
select act_as('alice');
select is((api.get_push(lead('ada@example.com'))).headers ->> 'Retry-After', '7', 'who looks is told when it is due');

select * from finish();
rollback;
