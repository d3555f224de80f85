/** Findings that the template accepts, and why. */
export interface Exception {
  /** as cdk-nag reports them */
  readonly rules: readonly string[]
  /** logical IDs */
  readonly resources: readonly string[]
  readonly reason: string
}

const bucketObjects = 'arn:<AWS::Partition>:s3:::njit-cs-643'
const sharedObjects = ['<SharedResults>', 'outcomes'].flatMap((bucket) =>
  ['runs', 'finished', 'answers'].map((prefix) => `arn:<AWS::Partition>:s3:::${bucket}/${prefix}/*`),
)

export const exceptions: readonly Exception[] = [
  {
    rules: ['AwsSolutions-IAM5[Resource::*]'],
    resources: ['DetectorRole', 'ReaderRole'],
    reason:
      'DetectLabels, DetectText and the actions of Session Manager support no resource-level permissions. ' +
      'rights.test.ts lists all actions that "*" is allowed for.',
  },
  {
    rules: [bucketObjects, `${bucketObjects}/cars`].map((path) => `AwsSolutions-IAM5[Resource::${path}/*]`),
    resources: ['DetectorRole', 'ReaderRole'],
    reason: 'The images of one bucket below one prefix. Their keys are not known in advance.',
  },
  {
    rules: sharedObjects.map((path) => `AwsSolutions-IAM5[Resource::${path}]`),
    resources: ['ReaderRole'],
    reason: 'What several readers share in one bucket. The keys contain IDs of runs and hashes.',
  },
  {
    rules: [
      'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:instance/*]',
    ],
    resources: ['ReaderRole'],
    reason:
      'B attaches the results volume to itself and has no ID when the policy is created. ' +
      "A condition on CloudFormation's tags limits it to B.",
  },
  {
    rules: ['AwsSolutions-EC28'],
    resources: ['Detector', 'Reader'],
    reason:
      'Detailed monitoring costs $2.10 per instance and month. The alarms use status checks, which are reported ' +
      'every minute without it, and metrics of the queue.',
  },
  {
    rules: ['AwsSolutions-EC29'],
    resources: ['Detector', 'Reader'],
    reason:
      'Termination protection would make the deletion of the stack fail. The results are on a volume of their own; ' +
      'docs/aws.md recommends termination protection and a policy for the stack.',
  },
  {
    rules: ['AwsSolutions-EC26'],
    resources: ['Detector', 'Reader'],
    reason:
      'The rule throws for instances without a launch template in a stack that has one (cdk-nag 3.0.2); without ' +
      'additional readers it passes. template.test.ts checks that all disks are encrypted.',
  },
  {
    rules: ['AwsSolutions-S1'],
    resources: ['SharedResults'],
    reason:
      'An access log would need a second bucket, which nothing empties. Only the readers of this stack use the ' +
      'bucket, and what is in it can be computed again.',
  },
  {
    rules: ['AwsSolutions-AS3'],
    resources: ['AdditionalReaders'],
    reason: 'Notifications are configured if the stack has an AlarmTopic.',
  },
]
