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
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'a push that the vendor refused');
select fail('gave_up', 'Bad gateway.');
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'a push that was given up');

select fail('outcome_unknown', null);
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'))$$, 'PT409', 'crm_outcome_unknown', 'a push with an unknown outcome isn''t started again'
);
select throws_ok(
  $$select api.get_push(lead('ada@example.com'))$$, 'PT409', 'crm_outcome_unknown', 'get_push reports the unknown outcome'
);
select act_as('dba');
select is((select s.status from crm.sync as s), 'failed', 'nothing is sent');
select act_as('operator');
select is(admin.retry_crm(organization('alice'), lead('ada@example.com')), 1, 'an operator retries it after a check');
select act_as('alice');
select is((api.push_lead(lead('ada@example.com'))).status, 202, 'then it is started again');

select act_as('operator');
select admin.change_crm_connection(organization('alice'), 'pause');
select act_as('alice');
select is((api.push_lead(lead('ada@example.com'))).headers ->> 'Retry-After', '60', 'Retry-After of a paused connection');
select act_as('dba');
select is((select s.status from crm.sync as s), 'pending', 'the push waits');
update crm.sync set run_at = clock_timestamp() + interval '50 seconds';
update crm.connection set state = 'active';
select act_as('alice');
select ok(((api.get_push(lead('ada@example.com'))).headers ->> 'Retry-After')::integer between 2 and 50, 'get_push returns the seconds until it is due');

select * from finish();
rollback;
